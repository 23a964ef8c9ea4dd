//! When a tunnel ends: with its token, after a time of idleness, or when the gateway drains.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// Why a tunnel ends though nobody closed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Token,
    Idle,
    Drain,
    Withdrawn,
}

impl End {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token_expired",
            Self::Idle => "idle",
            Self::Drain => "drain",
            Self::Withdrawn => "access_revoked",
        }
    }
}

/// What bounds a tunnel's life.
pub(super) struct Life {
    /// From now until the token's end.
    pub(super) left: Duration,
    pub(super) idle: Duration,
    pub(super) stopped: watch::Receiver<bool>,
    /// Ready once the caller's access is withdrawn.
    pub(super) withdrawn: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Life {
    /// Returns when the tunnel is to end.
    pub(super) async fn over(mut self, activity: &Activity) -> End {
        tokio::select! {
            () = self.withdrawn.as_mut() => End::Withdrawn,
            () = tokio::time::sleep(self.left) => End::Token,
            () = quiet(activity, self.idle) => End::Idle,
            () = told(&mut self.stopped) => End::Drain,
        }
    }
}

/// Returns once the gateway is told to stop, or is gone.
pub(super) async fn told(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Returns once nothing has happened for this long; at most twice as long after the last thing that did.
pub(super) async fn quiet(activity: &Activity, period: Duration) {
    loop {
        let before = activity.count();
        tokio::time::sleep(period).await;
        if activity.is_still() && activity.count() == before {
            return;
        }
    }
}

/// What goes on in a tunnel.
#[derive(Debug, Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    happened: AtomicU64,
    running: AtomicUsize,
}

impl Activity {
    /// Something happened.
    pub(super) fn note(&self) {
        self.0.happened.fetch_add(1, Ordering::Relaxed);
    }

    /// Something goes on until the result is dropped.
    pub(super) fn begin(&self) -> Running {
        self.0.running.fetch_add(1, Ordering::Relaxed);
        self.note();
        Running(self.clone())
    }

    fn count(&self) -> u64 {
        self.0.happened.load(Ordering::Relaxed)
    }

    fn is_still(&self) -> bool {
        self.0.running.load(Ordering::Relaxed) == 0
    }
}

/// Something that goes on.
#[derive(Debug)]
pub(super) struct Running(Activity);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.note();
        self.0.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(left: u64, idle: u64) -> (Life, watch::Sender<bool>) {
        let (stop, stopped) = watch::channel(false);
        let life = Life {
            left: Duration::from_secs(left),
            idle: Duration::from_secs(idle),
            stopped,
            withdrawn: Box::pin(std::future::pending()),
        };
        (life, stop)
    }

    #[tokio::test(start_paused = true)]
    async fn ends_with_its_token() {
        let (life, _stop) = life(60, 600);
        assert_eq!(life.over(&Activity::default()).await, End::Token);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_when_access_is_withdrawn() {
        let (mut life, _stop) = life(3600, 600);
        life.withdrawn = Box::pin(std::future::ready(()));
        assert_eq!(life.over(&Activity::default()).await, End::Withdrawn);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_when_idle_and_not_while_something_goes_on() {
        let activity = Activity::default();
        let running = activity.begin();
        let (first, _stop) = life(3600, 60);
        assert_eq!(
            first.over(&activity).await,
            End::Token,
            "a long answer is no idleness"
        );
        drop(running);
        let (second, _stop) = life(3600, 60);
        assert_eq!(second.over(&activity).await, End::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn ends_when_the_gateway_drains() {
        let (first, stop) = life(3600, 600);
        stop.send_replace(true);
        assert_eq!(first.over(&Activity::default()).await, End::Drain);
        let (second, stop) = life(3600, 600);
        drop(stop);
        assert_eq!(second.over(&Activity::default()).await, End::Drain);
    }
}
