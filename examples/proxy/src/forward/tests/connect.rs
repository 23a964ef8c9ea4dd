use http::Request;

use super::*;

fn rules() -> Rules {
    let patterns = |list: &[&str]| list.iter().map(|t| HostPattern::parse(t).unwrap()).collect();
    Rules {
        intercept: patterns(&[
            "api.githubcopilot.com",
            "*.business.githubcopilot.com",
            "models.example:8443",
        ]),
        tunnel: patterns(&["github.com", "*.github.com", "ssh.github.com:22", "140.82.112.3"]),
        own_hosts: vec![Host::parse("guard.example.com").unwrap()],
        own: vec![
            "203.0.113.7:8080".parse().unwrap(),
            "140.82.112.9:443".parse().unwrap(),
        ],
    }
}

/// What is decided: `intercept`, `tunnel`, or the reason of the refusal.
fn outcome(authority: &str) -> (&'static str, String) {
    let Ok(uri) = Uri::builder().authority(authority).build() else {
        return ("no uri", String::new());
    };
    match target(&Method::CONNECT, &uri).map(|t| rules().decide(&t)) {
        Ok(Decision::Intercept(name)) => ("intercept", name),
        Ok(Decision::Tunnel) => ("tunnel", String::new()),
        Ok(Decision::Refuse(refusal)) => {
            assert_eq!(refusal.status, 403);
            (refusal.reason, refusal.message)
        }
        Err(refusal) => {
            assert_eq!(refusal.status, 400);
            (refusal.reason, refusal.message)
        }
    }
}

#[test]
fn who_gets_through() {
    let rows = [
        ("api.githubcopilot.com:443", "intercept"),
        ("API.GitHubCopilot.com:443", "intercept"),
        ("api.githubcopilot.com", "intercept"),
        ("api.business.githubcopilot.com:443", "intercept"),
        ("models.example:8443", "intercept"),
        ("github.com:443", "tunnel"),
        ("uploads.github.com:443", "tunnel"),
        ("ssh.github.com:22", "tunnel"),
        ("140.82.112.3:443", "tunnel"),
        ("api.githubcopilot.com:80", "port_not_listed"),
        ("api.githubcopilot.com:8443", "port_not_listed"),
        ("models.example:443", "port_not_listed"),
        ("github.com:22", "port_not_listed"),
        ("example.com:443", "host_not_listed"),
        ("githubcopilot.com:443", "host_not_listed"),
        ("business.githubcopilot.com:443", "host_not_listed"),
        ("a.b.business.githubcopilot.com:443", "host_not_listed"),
        ("xgithub.com:443", "host_not_listed"),
        ("github.com.evil.example:443", "host_not_listed"),
        ("140.82.112.4:443", "host_not_listed"),
        ("guard.example.com:443", "own_address"),
        ("guard.example.com:8080", "own_address"),
        ("140.82.112.9:443", "own_address"),
        ("203.0.113.7:8080", "own_address"),
        ("203.0.113.7:443", "private_address"),
        ("127.0.0.1:443", "private_address"),
        ("127.0.0.1:11434", "private_address"),
        ("[::1]:443", "private_address"),
        ("[::ffff:127.0.0.1]:443", "private_address"),
        ("10.1.2.3:443", "private_address"),
        ("169.254.169.254:80", "private_address"),
        ("localhost:3000", "private_address"),
        ("x.localhost:443", "private_address"),
        ("127.1:443", "malformed_target"),
        ("2130706433:443", "malformed_target"),
        ("0x7f.0.0.1:443", "malformed_target"),
        ("0x7f000001:443", "malformed_target"),
        ("api.githubcopilot.com.:443", "malformed_target"),
        ("api.githubcopilot.com:0", "malformed_target"),
        ("api.githubcopilot.com:", "malformed_target"),
        ("api.githubcopilot.com:443:443", "no uri"),
        ("api.githubcopilot.com:99999", "malformed_target"),
        ("user@api.githubcopilot.com:443", "malformed_target"),
        ("evil.example:443@api.githubcopilot.com:443", "malformed_target"),
    ];
    for (authority, wanted) in rows {
        let (reason, message) = outcome(authority);
        assert_eq!(reason, wanted, "{authority}: {message}");
    }
    assert_eq!(outcome("API.GitHubCopilot.com:443").1, "api.githubcopilot.com");
}

#[test]
fn refusals_name_the_host_and_the_way_out() {
    for authority in ["example.com:443", "127.0.0.1:11434", "guard.example.com:443"] {
        let (_, message) = outcome(authority);
        let host = authority.split(':').next().unwrap();
        assert!(message.contains(&format!("NO_PROXY={host}")), "{message}");
    }
}

#[test]
fn only_connect_is_answered() {
    let ask = |method: Method, uri: &'static str| {
        let refusal = target(&method, &Uri::from_static(uri)).unwrap_err();
        (refusal.status.as_u16(), refusal.reason)
    };
    assert_eq!(ask(Method::GET, "/"), (400, "not_connect"));
    assert_eq!(ask(Method::GET, "/healthz"), (400, "not_connect"));
    assert_eq!(ask(Method::POST, "/v1/chat/completions"), (400, "not_connect"));
    assert_eq!(ask(Method::OPTIONS, "*"), (400, "not_connect"));
    assert_eq!(ask(Method::GET, "http://example.com/"), (403, "plain_http"));
    assert_eq!(
        ask(Method::POST, "https://api.githubcopilot.com/x"),
        (403, "plain_http")
    );
    assert_eq!(ask(Method::CONNECT, "/"), (400, "malformed_target"));
    assert_eq!(
        ask(Method::CONNECT, "https://api.githubcopilot.com/"),
        (400, "malformed_target")
    );
}

/// Inside a tunnel to `api.githubcopilot.com`: the whole address, or the status.
fn inner(port: u16, uri: &str, hosts: &[&str]) -> Result<String, u16> {
    let target = Target {
        host: Host::parse("api.githubcopilot.com").unwrap(),
        port,
    };
    let mut request = Request::post(uri);
    for host in hosts {
        request = request.header(HOST, *host);
    }
    let (head, ()) = request.body(()).unwrap().into_parts();
    inner_uri(&target, &head)
        .map(|u| u.to_string())
        .map_err(|r| r.status.as_u16())
}

#[test]
fn requests_inside_are_for_the_tunnels_host() {
    let whole = Ok("https://api.githubcopilot.com/chat?a=b".to_owned());
    let rows: &[(&str, &[&str], Result<String, u16>)] = &[
        ("/chat?a=b", &["api.githubcopilot.com"], whole.clone()),
        ("/chat?a=b", &["API.githubcopilot.com:443"], whole.clone()),
        // As h2 has it.
        ("https://api.githubcopilot.com/chat?a=b", &[], whole.clone()),
        (
            "https://API.githubcopilot.com:443/chat?a=b",
            &["api.githubcopilot.com"],
            whole,
        ),
        ("/chat", &[], Err(400)),
        (
            "/chat",
            &["api.githubcopilot.com", "api.githubcopilot.com"],
            Err(400),
        ),
        ("/chat", &["api.openai.com"], Err(421)),
        ("/chat", &["api.githubcopilot.com:8443"], Err(421)),
        ("/chat", &["api.githubcopilot.com:80"], Err(421)),
        ("/chat", &["api.githubcopilot.com."], Err(421)),
        ("/chat", &["api.githubcopilot.com, api.openai.com"], Err(421)),
        ("/chat", &["x@api.githubcopilot.com"], Err(421)),
        ("/chat", &[""], Err(421)),
        (
            "https://api.openai.com/chat",
            &["api.githubcopilot.com"],
            Err(421),
        ),
        (
            "https://api.githubcopilot.com/chat",
            &["api.openai.com"],
            Err(421),
        ),
        (
            "http://api.githubcopilot.com/chat",
            &["api.githubcopilot.com"],
            Err(421),
        ),
        ("https://api.githubcopilot.com:8443/chat", &[], Err(421)),
        ("https://x@api.githubcopilot.com/chat", &[], Err(421)),
    ];
    for (uri, hosts, wanted) in rows {
        assert_eq!(&inner(443, uri, hosts), wanted, "{uri} {hosts:?}");
    }
    let own_port = Ok("https://api.githubcopilot.com:8443/chat".to_owned());
    assert_eq!(inner(8443, "/chat", &["api.githubcopilot.com:8443"]), own_port);
    assert_eq!(inner(8443, "/chat", &["api.githubcopilot.com"]), Err(421));
}

#[test]
fn no_tunnel_within_a_tunnel() {
    let target = target(&Method::CONNECT, &Uri::from_static("api.githubcopilot.com:443")).unwrap();
    let request = Request::connect("api.githubcopilot.com:443").body(()).unwrap();
    let refusal = inner_uri(&target, &request.into_parts().0).unwrap_err();
    assert_eq!((refusal.status.as_u16(), refusal.reason), (400, "connect_inside"));
}
