//! `demo`: a stand-in identity provider, a scripted model and the real gateway, all on loopback in one process.

mod client;
pub(crate) mod idp;
pub(crate) mod model;
mod script;
mod setup;

use crate::failure::Failure;
use setup::Demo;

/// Runs the demo. `false`: the script found a wrong outcome.
pub(crate) async fn run(script: bool) -> Result<bool, Failure> {
    let demo = Demo::start().await?;
    if script {
        let right = script::run(&demo).await;
        demo.stop().await;
        return right;
    }
    print!("{}", guide(&demo));
    let _ = tokio::signal::ctrl_c().await;
    demo.stop().await;
    Ok(true)
}

/// What a person can try.
fn guide(demo: &Demo) -> String {
    let (data, admin) = (&demo.data_url, &demo.admin_url);
    let [dana, rita, alex] = [&demo.people.dana, &demo.people.rita, &demo.people.alex];
    let ask = |text: &str| {
        format!(
            "curl -N {data}/v1/chat/completions -H \"authorization: Bearer $DANA\" -H 'content-type: application/json' \\\n    -d '{{\"model\":\"demo\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"{text}\"}}]}}'"
        )
    };
    format!(
        "copilot-guard demo: everything runs on loopback and ends with Ctrl-C.

  gateway            {data}
  admin              {admin}   (/healthz /readyz /metrics /api/approvals /api/exchanges)
  identity provider  {idp}
  scripted model     {model}
  files              {folder}

Three people; their tokens are good for an hour. Paste this into a second terminal:

export DANA={dana}
export RITA={rita}
export ALEX={alex}

1. Allowed: Dana, a developer, asks something harmless.
{allowed}

2. Masked: the model answers with a token, cut into small pieces; it arrives as [REDACTED:github-pat:…].
{masked}

3. Blocked: the policy forbids it; the model is never asked.
{blocked}

4. Held: it needs a reviewer. The call stays open; let Rita vote from another terminal.
{held}

   curl -s {admin}/api/approvals?state=pending -H \"authorization: Bearer $RITA\"
   curl -s {admin}/api/approvals/ID/votes -H \"authorization: Bearer $RITA\" -d '{{\"vote\":\"approve\",\"reason\":\"looked at it\"}}'
   (or \"deny\"; Dana cannot vote on her own request)

5. Audited: Alex, an auditor, reads the record.
   curl -s {admin}/api/exchanges -H \"authorization: Bearer $ALEX\"
   copilot-guard-proxy audit list --store sqlite:{folder}/guard.db
   copilot-guard-proxy audit replay --store sqlite:{folder}/guard.db ID

Policy: {folder}/policy.toml. Configuration: {folder}/guard.toml.
",
        idp = demo.idp_url,
        model = demo.model_url,
        folder = demo.folder.display(),
        allowed = ask("What is a monoid?"),
        masked = ask("Show me the deploy script."),
        blocked = ask("Summarise project bluebird."),
        held = ask("Write a query against the production database."),
    )
}
