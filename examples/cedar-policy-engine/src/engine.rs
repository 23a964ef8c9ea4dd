//! Cedar as a [`PolicyEngine`]: three kinds of question become three actions.
//!
//! - `forbid` blocks, or asks for approval where the policy has `@action("require_approval")`.
//! - `@id` is the id of the hit, `@message` what the developer is told.
//! - What Cedar cannot evaluate is refused: a policy with an error is skipped by Cedar, and a skipped `forbid` would let
//!   everything pass.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;

use cedar_policy::{
    Authorizer, Context, Decision as CedarDecision, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicyId, PolicySet, Request, RestrictedExpression, Schema, ValidationMode, Validator,
};
use copilot_guard::decision::{Action, Decision, Stage};
use copilot_guard::detect::Danger;
use copilot_guard::identity::{CallerKind, Identity};
use copilot_guard::policy::engine::{PolicyEngine, Question};

type Error = Box<dyn std::error::Error + Send + Sync>;

/// The rules of a Cedar policy. The schema is checked when it is loaded, and each question against it.
pub(crate) struct CedarEngine {
    policies: PolicySet,
    schema: Schema,
    version: String,
}

impl CedarEngine {
    /// Reads policies and schema; a policy that does not fit the schema is an error.
    pub(crate) fn new(policies: &str, schema: &str) -> Result<Self, Error> {
        use sha2::Digest as _;
        let (schema, warnings) = Schema::from_cedarschema_str(schema)?;
        if let Some(warning) = warnings.into_iter().next() {
            return Err(warning.to_string().into());
        }
        let text = policies;
        let policies: PolicySet = policies.parse()?;
        let checked = Validator::new(schema.clone()).validate(&policies, ValidationMode::default());
        if let Some(error) = checked.validation_errors().next() {
            return Err(error.to_string().into());
        }
        let hash = sha2::Sha256::digest(text);
        let version = hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            policies,
            schema,
            version,
        })
    }

    fn ask(&self, question: &Question<'_>) -> Result<Decision, Error> {
        let asker = question.asker();
        let user = uid("User", &asker.identity.subject)?;
        let (action, resource, context) = match question {
            Question::Request(request) => {
                let parameters: BTreeSet<_> = request
                    .parameters
                    .iter()
                    .map(|(k, v)| format!("{k}={v}"))
                    .collect();
                let context = vec![
                    ("size", long(request.size)),
                    ("stream", RestrictedExpression::new_bool(request.stream)),
                    ("upstream", text(asker.upstream)),
                    ("tools", set(request.tools.iter().map(String::as_str))),
                    ("parameters", set(parameters.iter().map(String::as_str))),
                ];
                ("use_model", uid("Model", asker.model)?, context)
            }
            Question::Part(part) => {
                let is_result = part.stage == Stage::ToolResult;
                let context = vec![
                    ("text", text(part.text)),
                    ("role", text(part.role)),
                    ("place", text(part.place)),
                    ("tool_result", RestrictedExpression::new_bool(is_result)),
                ];
                ("prompt", uid("Model", asker.model)?, context)
            }
            Question::ToolCall(call) => {
                let dangerous = call.findings.iter().any(|found| found.danger == Danger::Block);
                let context = vec![
                    ("arguments", text(call.arguments)),
                    ("model", text(asker.model)),
                    ("findings", set(call.findings.iter().map(|found| found.rule))),
                    ("dangerous", RestrictedExpression::new_bool(dangerous)),
                ];
                ("call_tool", uid("Tool", call.name)?, context)
            }
        };
        let context = context.into_iter().map(|(name, value)| (name.to_owned(), value));
        let action = uid("Action", action)?;
        let entities = entities(&user, asker.identity)?;
        let context = Context::from_pairs(context)?;
        let request = Request::new(user, action, resource, context, Some(&self.schema))?;
        let answer = Authorizer::new().is_authorized(&request, &self.policies, &entities);
        if let Some(error) = answer.diagnostics().errors().next() {
            return Err(error.to_string().into());
        }
        let mut decision = Decision::default();
        if answer.decision() == CedarDecision::Deny {
            // In Cedar's order, which is none: sorted, so that records agree.
            let forbidding: BTreeSet<_> = answer.diagnostics().reason().collect();
            for policy in &forbidding {
                self.add(question, policy, &mut decision);
            }
            if forbidding.is_empty() {
                let hit = question.hit("cedar-default", Action::Block, "no policy permits it");
                decision.add(hit, "Your organisation's policy does not allow this.");
            }
        }
        Ok(decision)
    }

    fn add(&self, question: &Question<'_>, policy: &PolicyId, decision: &mut Decision) {
        let note = |name| self.policies.annotation(policy, name);
        let id = note("id").map_or_else(|| policy.to_string(), str::to_owned);
        let action = match note("action") {
            Some("require_approval") => Action::RequireApproval,
            _ => Action::Block,
        };
        let hit = question.hit(id, action, "a Cedar policy forbids it");
        decision.add(hit, note("message").unwrap_or_default());
    }
}

impl PolicyEngine for CedarEngine {
    fn decide(&self, question: &Question<'_>) -> Decision {
        self.ask(question).unwrap_or_else(|_| {
            // The error may quote what was asked: it is not kept.
            let mut decision = Decision::default();
            let hit = question.hit("cedar-error", Action::Block, "Cedar could not decide");
            decision.add(hit, "Your organisation's rules could not be checked.");
            decision
        })
    }

    fn version(&self) -> String {
        self.version.clone()
    }
}

impl fmt::Debug for CedarEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CedarEngine")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The caller, a member of the groups that their token names.
fn entities(user: &EntityUid, identity: &Identity) -> Result<Entities, Error> {
    let groups = identity.groups.iter().map(|group| uid("Group", group));
    let groups: HashSet<_> = groups.collect::<Result<_, _>>()?;
    let human = RestrictedExpression::new_bool(identity.kind == CallerKind::Person);
    let attributes = HashMap::from([("human".to_owned(), human)]);
    let of_groups = groups
        .iter()
        .map(|group| Entity::new_no_attrs(group.clone(), HashSet::new()));
    let mut all: Vec<_> = of_groups.collect();
    all.push(Entity::new(user.clone(), attributes, groups.clone())?);
    Ok(Entities::from_entities(all, None)?)
}

/// Made of its parts, never parsed: a name with quotes in it names itself.
fn uid(kind: &str, id: &str) -> Result<EntityUid, Error> {
    let kind: EntityTypeName = kind.parse()?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(id)))
}

fn text(text: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(text.to_owned())
}

fn long(number: usize) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(number).unwrap_or(i64::MAX))
}

fn set<'a>(texts: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(texts.map(text).collect::<Vec<_>>())
}
