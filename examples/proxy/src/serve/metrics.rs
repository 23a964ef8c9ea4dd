//! Prometheus metrics, counted from the record itself.

use std::sync::atomic::AtomicU64;

use copilot_guard::audit::{AuditError, AuditEvent, AuditSink, Durable, EventKind};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: String,
    decision: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Rule {
    rule: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    what: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// What is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    opened: Counter,
    ended: Family<Ended, Counter>,
    refused: Family<Code, Counter>,
    masks: Family<Rule, Counter>,
    delivered: Counter<u64, AtomicU64>,
    audit_failures: Counter,
    revoked: Family<What, Counter>,
    tunnels: Family<Kind, Counter>,
    tunnels_refused: Family<Reason, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("copilot_guard");
        let opened = Counter::default();
        let ended = Family::default();
        let refused = Family::default();
        let masks = Family::default();
        let delivered = Counter::default();
        let audit_failures = Counter::default();
        let revoked = Family::default();
        let tunnels = Family::default();
        let tunnels_refused = Family::default();
        registry.register(
            "exchanges_opened",
            "Exchanges whose request was judged",
            opened.clone(),
        );
        registry.register(
            "exchanges_ended",
            "Exchanges that ended, by outcome and decision",
            ended.clone(),
        );
        registry.register(
            "refused",
            "Requests refused before anybody was known, by code",
            refused.clone(),
        );
        registry.register("masks", "Masks made, by rule", masks.clone());
        registry.register("delivered_bytes", "Bytes of answers delivered", delivered.clone());
        registry.register(
            "audit_failures",
            "Batches that the audit sink refused",
            audit_failures.clone(),
        );
        registry.register(
            "access_revoked",
            "Withdrawals of access, by what was withdrawn",
            revoked.clone(),
        );
        registry.register(
            "tunnels_opened",
            "Tunnels opened in forward mode, by kind",
            tunnels.clone(),
        );
        registry.register(
            "tunnels_refused",
            "Tunnels, handshakes and requests inside that a forward proxy refused, by reason",
            tunnels_refused.clone(),
        );
        Self {
            registry,
            opened,
            ended,
            refused,
            masks,
            delivered,
            audit_failures,
            revoked,
            tunnels,
            tunnels_refused,
        }
    }
}

impl Metrics {
    /// In the Prometheus text format.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }

    /// A tunnel was opened.
    pub(crate) fn tunnel_opened(&self, kind: &'static str) {
        self.tunnels.get_or_create(&Kind { kind }).inc();
    }

    /// A tunnel, or something in one, was refused.
    pub(crate) fn tunnel_refused(&self, reason: &'static str) {
        self.tunnels_refused.get_or_create(&Reason { reason }).inc();
    }

    fn count(&self, event: &AuditEvent) {
        match &event.kind {
            EventKind::Opened(opening) => {
                self.opened.inc();
                self.count_masks(&opening.masks);
            }
            EventKind::Closed(closing) => {
                let labels = Ended {
                    outcome: closing.outcome.to_string(),
                    decision: closing.decision.to_string(),
                };
                self.ended.get_or_create(&labels).inc();
                self.delivered.inc_by(closing.delivered);
                self.count_masks(&closing.masks);
                tracing::info!(
                    exchange = %event.exchange,
                    outcome = closing.outcome.as_str(),
                    decision = closing.decision.as_str(),
                    status = closing.status,
                    code = closing.code.as_deref().unwrap_or_default(),
                    delivered = closing.delivered,
                    "exchange ended"
                );
            }
            EventKind::Refused {
                code, status, count, ..
            } => {
                self.refused
                    .get_or_create(&Code { code: code.clone() })
                    .inc_by(*count);
                tracing::info!(exchange = %event.exchange, code, status, count, "refused");
            }
            EventKind::Revoked(withdrawal) => {
                self.revoked
                    .get_or_create(&What {
                        what: withdrawal.what.clone(),
                    })
                    .inc();
                tracing::info!(
                    what = withdrawal.what,
                    through = withdrawal.through,
                    "access was withdrawn"
                );
            }
            _ => {}
        }
    }

    fn count_masks(&self, masks: &[copilot_guard::audit::MaskCount]) {
        for mask in masks {
            self.masks
                .get_or_create(&Rule {
                    rule: mask.rule.clone(),
                })
                .inc_by(mask.count);
        }
    }
}

/// A sink that counts and logs what another has stored.
#[derive(Debug)]
pub(super) struct Watched<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S> Watched<S> {
    pub(super) fn new(inner: S, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }
}

#[async_trait::async_trait]
impl<S: AuditSink> AuditSink for Watched<S> {
    async fn append(&self, events: &[AuditEvent]) -> Result<Durable, AuditError> {
        let result = self.inner.append(events).await;
        match &result {
            Ok(_) => events.iter().for_each(|event| self.metrics.count(event)),
            Err(_) => {
                self.metrics.audit_failures.inc();
            }
        }
        result
    }
}
