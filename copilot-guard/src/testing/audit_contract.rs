//! What every audit sink that can be read back must do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::samples::{self, NOW};
use crate::audit::{
    ApprovalStep, AuditEvent, AuditReader, AuditSink, Closing, EventKind, ExchangeFilter, ExchangeRecord,
    Outcome, ReadError,
};
use crate::decision::Action;

/// Checks that what `make` makes, a new empty store each time, keeps the promises of [`AuditSink`] and [`AuditReader`].
///
/// # Panics
/// When it does not.
pub async fn audit_sink_contract<S, F, Fut>(make: F)
where
    S: AuditSink + AuditReader,
    F: Fn() -> Fut,
    Fut: Future<Output = S>,
{
    reads_back_in_order(&make().await).await;
    keeps_each_event_once(&make().await).await;
    keeps_one_last_event(&make().await).await;
    knows_what_is_not_there(&make().await).await;
    lists_by_every_condition(&make().await).await;
    pages_through_all(&make().await).await;
    folds_steps_of_approvals(&make().await).await;
    takes_many_writers(make().await).await;
}

async fn append(store: &impl AuditSink, events: &[AuditEvent]) {
    let _durable = store.append(events).await.expect("the events are stored");
}

async fn reads_back_in_order(store: &(impl AuditSink + AuditReader)) {
    let (one, two) = (
        samples::exchange(1, samples::opening("ann")),
        samples::exchange(2, samples::opening("bob")),
    );
    append(store, &[]).await;
    // In one batch, and each exchange's events among the other's.
    let mixed: Vec<_> = one
        .iter()
        .zip(&two)
        .flat_map(|(a, b)| [a.clone(), b.clone()])
        .collect();
    append(store, &mixed[..3]).await;
    append(store, &mixed[3..]).await;
    for events in [one, two] {
        assert_eq!(
            store.events(events[0].exchange).await.expect("it is there"),
            events
        );
    }
}

async fn keeps_each_event_once(store: &(impl AuditSink + AuditReader)) {
    let events = samples::exchange(1, samples::opening("ann"));
    append(store, &events[..2]).await;
    append(store, &events[..2]).await;
    // Old ones, new ones, and one twice in the same batch.
    let mut batch = events.clone();
    batch.insert(3, events[2].clone());
    append(store, &batch).await;
    append(store, &events[4..]).await;
    assert_eq!(
        store.events(events[0].exchange).await.expect("it is there"),
        events
    );
}

async fn keeps_one_last_event(store: &(impl AuditSink + AuditReader)) {
    let events = samples::exchange(1, samples::opening("ann"));
    append(store, &events).await;
    let closing = Closing::new(Outcome::Interrupted, 0, Action::Allow);
    let again = AuditEvent::new(events[0].exchange, 99, NOW, EventKind::Closed(Box::new(closing)));
    append(store, &[again]).await;
    assert_eq!(
        store.events(events[0].exchange).await.expect("it is there"),
        events,
        "the first closing counts"
    );
    let page = store.list(&ExchangeFilter::default()).await.expect("a page");
    assert_eq!(page.items[0].outcome, Some(Outcome::Completed));
}

async fn knows_what_is_not_there(store: &(impl AuditSink + AuditReader)) {
    assert!(matches!(
        store.events(samples::exchange_id(7)).await,
        Err(ReadError::NotFound)
    ));
    let page = store.list(&ExchangeFilter::default()).await.expect("a page");
    assert!(page.items.is_empty() && page.next_cursor.is_none());
    let filter = ExchangeFilter {
        cursor: Some("nonsense".to_owned()),
        ..ExchangeFilter::default()
    };
    assert!(matches!(
        store.list(&filter).await,
        Err(ReadError::BadArgument(_))
    ));
}

/// Exchanges that differ in everything a filter can ask for.
fn varied() -> Vec<Vec<AuditEvent>> {
    let mut exchanges = Vec::new();
    for n in 0..12u64 {
        let mut opening = samples::opening(["ann", "bob", "cat"][n as usize % 3]);
        if n % 2 == 0 {
            opening.actor.groups.insert("payments".to_owned());
            opening.session = Some(format!("session-{}", n % 4));
        }
        if n % 4 == 1 {
            opening.model = "claude".to_owned();
            opening.decision = Action::Block;
            opening.hits.push(samples::hit("no-claude", Action::Block));
        }
        if n == 5 {
            opening.request.push_str("100% needle_in '\"a haystack");
        }
        let mut events = samples::exchange(n, opening);
        match n % 3 {
            // Still running.
            1 => drop(events.pop()),
            2 => {
                if let Some(EventKind::Closed(closing)) = events.last_mut().map(|e| &mut e.kind) {
                    closing.outcome = Outcome::ClientGone;
                }
            }
            _ => {}
        }
        exchanges.push(events);
    }
    exchanges
}

async fn lists_by_every_condition(store: &(impl AuditSink + AuditReader)) {
    let exchanges = varied();
    for events in &exchanges {
        append(store, events).await;
    }
    let at = |n: u64| Some(NOW.plus(Duration::from_secs(n)));
    let text = |t: &str| Some(t.to_owned());
    let all = ExchangeFilter::default;
    let filters = [
        all(),
        ExchangeFilter {
            user: text("ann"),
            ..all()
        },
        ExchangeFilter {
            user: text("an"),
            ..all()
        },
        ExchangeFilter {
            group: text("payments"),
            ..all()
        },
        ExchangeFilter {
            model: text("claude"),
            ..all()
        },
        ExchangeFilter {
            decision: Some(Action::Block),
            ..all()
        },
        ExchangeFilter {
            decision: Some(Action::Mask),
            ..all()
        },
        ExchangeFilter {
            outcome: Some(Outcome::ClientGone),
            ..all()
        },
        ExchangeFilter {
            rule: text("no-claude"),
            ..all()
        },
        ExchangeFilter {
            rule: text("secrets"),
            ..all()
        },
        ExchangeFilter {
            session: text("session-2"),
            ..all()
        },
        ExchangeFilter {
            since: at(3),
            until: at(9),
            ..all()
        },
        ExchangeFilter {
            text: text("% needle_in '\"a"),
            ..all()
        },
        // Delivered in two pieces.
        ExchangeFilter {
            text: text("lo\nwor"),
            ..all()
        },
        ExchangeFilter {
            text: text("HELLO"),
            ..all()
        },
        ExchangeFilter {
            user: text("ann"),
            group: text("payments"),
            since: at(1),
            ..all()
        },
    ];
    for filter in filters {
        let page = store.list(&filter).await.expect("a page");
        let expected: Vec<_> = exchanges
            .iter()
            .rev()
            .filter_map(|events| ExchangeRecord::from_events(events))
            .filter(|record| filter.matches(record))
            .map(ExchangeRecord::without_content)
            .collect();
        assert_eq!(page.items, expected, "{filter:?}");
        assert_eq!(page.next_cursor, None, "{filter:?}");
    }
}

async fn pages_through_all(store: &(impl AuditSink + AuditReader)) {
    for n in 0..7 {
        let mut events = samples::exchange(n, samples::opening("ann"));
        // Two begin in the same millisecond: the id decides.
        for event in &mut events {
            event.at = NOW.plus(Duration::from_secs(n / 2));
        }
        append(store, &events).await;
    }
    for text in [None, Some("Hello".to_owned())] {
        let mut filter = ExchangeFilter {
            limit: Some(3),
            text,
            ..ExchangeFilter::default()
        };
        let mut sizes = Vec::new();
        let mut seen = Vec::new();
        loop {
            let page = store.list(&filter).await.expect("a page");
            sizes.push(page.items.len());
            seen.extend(page.items.into_iter().map(|record| record.id));
            filter.cursor = page.next_cursor;
            if filter.cursor.is_none() {
                break;
            }
        }
        let newest_first: Vec<_> = (0..7).rev().map(samples::exchange_id).collect();
        assert_eq!((seen, sizes), (newest_first, vec![3, 3, 1]));
    }
}

/// Steps of an approval may come before the exchange's first event and after its last.
async fn folds_steps_of_approvals(store: &(impl AuditSink + AuditReader)) {
    let exchange = samples::exchange(1, samples::opening("ann"));
    let (approval, id) = (samples::approval_id(1), exchange[0].exchange);
    let step = ApprovalStep::Opened {
        digest: "d".to_owned(),
        rules: vec!["r".to_owned()],
    };
    let mut events = vec![AuditEvent::of_approval(approval, 0, id, NOW, step)];
    events.extend(exchange);
    let reviewer = samples::actor("bob", &["security"]);
    let state = "approved".to_owned();
    let step = ApprovalStep::Voted {
        reviewer,
        approve: true,
        reason: "fine".to_owned(),
        state,
    };
    events.push(AuditEvent::of_approval(
        approval,
        1,
        id,
        NOW.plus(Duration::from_secs(9)),
        step,
    ));
    for event in &events {
        append(store, std::slice::from_ref(event)).await;
    }
    assert_eq!(store.events(id).await.expect("it is there"), events);
    let page = store.list(&ExchangeFilter::default()).await.expect("a page");
    let expected = ExchangeRecord::from_events(&events).map(ExchangeRecord::without_content);
    assert_eq!(page.items.first(), expected.as_ref());
    assert_eq!(page.items[0].votes.len(), 1);
}

async fn takes_many_writers(store: impl AuditSink + AuditReader) {
    let store = Arc::new(store);
    let mut writers = JoinSet::new();
    for n in 0..32 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for event in samples::exchange(n, samples::opening("ann")) {
                append(&*store, &[event]).await;
            }
        });
    }
    while let Some(writer) = writers.join_next().await {
        writer.expect("the writer ends well");
    }
    let page = store
        .list(&ExchangeFilter {
            limit: Some(100),
            ..ExchangeFilter::default()
        })
        .await
        .expect("a page");
    let ids: BTreeSet<_> = page.items.iter().map(|record| record.id).collect();
    assert_eq!(ids, (0..32).map(samples::exchange_id).collect());
    for n in 0..32 {
        let events = store.events(samples::exchange_id(n)).await.expect("it is there");
        assert_eq!(events, samples::exchange(n, samples::opening("ann")));
    }
}
