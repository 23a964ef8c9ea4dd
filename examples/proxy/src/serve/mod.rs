//! `serve`: configuration in, two listeners out.

mod admin;
mod assemble;
#[cfg(test)]
mod canary_tests;
mod credentials;
#[cfg(test)]
mod credentials_tests;
mod forward;
pub(crate) mod listen;
pub(crate) mod metrics;
mod resolvers;
#[cfg(test)]
mod test_server;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use copilot_guard::clock::{Clock as _, SystemClock};
use copilot_guard::guard::Guard;
use copilot_guard::http::GuardService;
use copilot_guard::policy::reader::Elsewhere;
use copilot_guard::policy::{Policy, PolicyOptions, Problem};
use copilot_guard::secret::Secret;
use copilot_guard::token::OidcVerifier;
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower::Layer as _;

use crate::config::Config;
use crate::failure::Failure;
use crate::forward::{Plan, Proxy};

pub(crate) use assemble::check;

/// How long open connections may take to end when draining.
const DRAIN: Duration = Duration::from_secs(30);
/// How often identity keys are looked at.
const REFRESH: Duration = Duration::from_secs(30);

/// Structured logs on standard error; `RUST_LOG` chooses the level. They hold no content of requests or answers.
pub(crate) fn init_logs() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    // A second initialisation (in tests) changes nothing.
    let _ = tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Reads and compiles a policy file.
pub(crate) fn load_policy(
    file: &Path,
    reviewer_groups: &[String],
    exact: Vec<(String, Secret)>,
) -> Result<Policy, Failure> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        let problem = Problem::of_file(
            &name,
            "the policy cannot be read",
            error.to_string(),
            "check the path and its permissions",
        );
        Failure::from(copilot_guard::policy::PolicyError::new(vec![problem]))
    })?;
    let mut options =
        PolicyOptions::new(SystemClock.now()).with_reviewer_groups(reviewer_groups.iter().cloned());
    for (id, value) in exact {
        options = options.with_exact(id, value);
    }
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    options = options.with_elsewhere(move |place| elsewhere(&folder, place));
    Ok(Policy::parse(&text, &name, &options)?)
}

/// What `[[values]]` of a policy name. Nothing of the content is in an error.
fn elsewhere(folder: &Path, place: &Elsewhere) -> Result<Secret, String> {
    match place {
        Elsewhere::Env(name) => match std::env::var(name) {
            Ok(value) => Ok(Secret::new(value)),
            Err(std::env::VarError::NotPresent) => Err("it is not set".to_owned()),
            Err(std::env::VarError::NotUnicode(_)) => Err("it is not text".to_owned()),
        },
        Elsewhere::File(path) => std::fs::read_to_string(folder.join(path))
            .map(Secret::new)
            .map_err(|error| error.to_string()),
    }
}

/// The guard around the way upstream.
pub(crate) type DataPlane = GuardService<forward::Forward, Full<Bytes>>;

/// A running gateway.
pub(crate) struct Running {
    pub(crate) data: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) guard: Guard,
    stop: watch::Sender<bool>,
    servers: Vec<tokio::task::JoinHandle<()>>,
}

impl Running {
    /// Ends in good order: no new connections, open ones may end, then the record is written out.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        for server in self.servers {
            let _ = server.await;
        }
        self.guard.drain().await;
    }
}

/// Starts the gateway: binds both listeners and returns once they accept.
pub(crate) async fn start(config: Config) -> Result<Running, Failure> {
    let plan = Plan::new(&config)?;
    start_with(config, plan).await
}

/// Starts the gateway; as a forward proxy when there is a plan for one.
pub(crate) async fn start_with(config: Config, plan: Option<Plan>) -> Result<Running, Failure> {
    let parts = assemble::assemble(&config)?;
    let protocols = if plan.is_some() {
        listen::FORWARD
    } else {
        listen::REVERSE
    };
    let tls = config
        .server
        .tls
        .as_ref()
        .map(|files| listen::tls(files, protocols))
        .transpose()?;
    let data = bind(config.server.listen, "listen").await?;
    let admin = bind(config.server.admin_listen, "admin_listen").await?;
    let place = |listener: &TcpListener| {
        listener
            .local_addr()
            .map_err(|e| Failure::new("a listener has no address", e, "choose another address"))
    };
    let (data_address, admin_address) = (place(&data)?, place(&admin)?);
    let (stop, stopped) = watch::channel(false);

    let service: DataPlane = parts.guard.layer().layer(parts.forward);
    let plane = admin::AdminPlane::new(
        parts.guard.clone(),
        parts.verifiers.clone(),
        parts.metrics.clone(),
        stopped.clone(),
    );
    let data = match plan {
        None => tokio::spawn(listen::serve(data, tls, service, stopped.clone(), DRAIN)),
        Some(plan) => {
            let own = vec![data_address, admin_address];
            let guard = parts.guard.clone();
            let proxy = Proxy::new(plan, own, guard, service, parts.metrics, stopped.clone(), DRAIN);
            tokio::spawn(proxy.serve(data, tls))
        }
    };
    let servers = vec![
        data,
        tokio::spawn(listen::serve(admin, None, plane, stopped.clone(), DRAIN)),
        tokio::spawn(keep_keys(parts.verifiers, stopped)),
    ];
    tracing::info!(data = %data_address, admin = %admin_address, policy = parts.guard.policy().version(), "listening");
    Ok(Running {
        data: data_address,
        admin: admin_address,
        guard: parts.guard,
        stop,
        servers,
    })
}

/// Runs until SIGTERM or SIGINT; SIGHUP reloads the policy.
pub(crate) async fn run(config: Config) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen_for = |kind| {
        signal(kind).map_err(|e| Failure::new("signals cannot be received", e, "report this as a bug"))
    };
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let mut hangup = listen_for(SignalKind::hangup())?;
    for warning in &config.warnings {
        tracing::warn!(%warning, "configuration");
    }
    let reload = config.clone();
    let running = start(config).await?;
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => match assemble::policy(&reload) {
                Ok(policy) => {
                    tracing::info!(policy = policy.version(), "the policy was reloaded");
                    running.guard.set_policy(policy);
                }
                Err(failure) => tracing::error!(%failure, "the policy was not reloaded; the old one stays"),
            },
        }
    }
    tracing::info!("draining");
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

async fn bind(address: SocketAddr, key: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        Failure::new(
            format!("`{key}` {address} cannot be used"),
            error,
            "choose a free address of this machine",
        )
    })
}

/// Keeps identity keys fresh, so that no request waits for them.
async fn keep_keys(verifiers: Arc<[OidcVerifier; 2]>, mut stopped: watch::Receiver<bool>) {
    loop {
        let mut every = REFRESH;
        for verifier in verifiers.iter() {
            if verifier.refresh(SystemClock.now()).await.is_err() {
                tracing::warn!("identity keys are not available yet");
                every = Duration::from_secs(1);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stopped.changed() => return,
        }
    }
}
