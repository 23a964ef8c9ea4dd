//! Access given and taken back: grants for laptops, tokens for tokens, revocation, logout.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use copilot_guard::access::{AccessStore, DeviceGrant, GrantHash, Revocation, StoreError, Withdrawn};
use copilot_guard::audit::{EventKind, Outcome};
use copilot_guard::clock::Timestamp;
use copilot_guard::guard::admin::AdminAccess;
use copilot_guard::guard::{ClientAddress, LoginHint};
use copilot_guard::identity::{CallerKind, Identity};
use copilot_guard::memory::MemoryStore;
use copilot_guard::token::{LogoutToken, TokenError, TokenVerifier};
use http::Request;
use http_body_util::Full;

use crate::support::*;

const IDP: &str = "https://idp.example";
const PLAIN: &str =
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}]}"#;
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Reads `NAME.JTI.SID.IAT` (seconds after [`NOW`]); `ci` is a machine. `logout.NAME.SID` is a logout token of one second
/// ago; either may be empty.
#[derive(Debug)]
struct Idp;

fn part(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[async_trait]
impl TokenVerifier for Idp {
    async fn verify(&self, token: &str, _now: Timestamp) -> Result<Identity, TokenError> {
        let parts: Vec<_> = token.split('.').collect();
        let [name, id, session, issued] = parts[..] else {
            return Err(TokenError::Invalid("segments"));
        };
        let issued: u64 = issued.parse().map_err(|_| TokenError::Invalid("claims_json"))?;
        let until = NOW.plus(Duration::from_secs(3600));
        let mut identity = Identity::new(IDP, name, until).with_groups(["developers", "operators"]);
        identity.token_ids.extend(part(id));
        identity.session = part(session);
        identity.issued_at = Some(NOW.plus(Duration::from_secs(issued)));
        identity.authenticated_at = Some(NOW);
        if name == "ci" {
            identity.kind = CallerKind::Machine;
        }
        Ok(identity)
    }

    async fn renew(&self, mut identity: Identity, _now: Timestamp) -> Result<Identity, TokenError> {
        match identity.subject.as_str() {
            "left" => Err(TokenError::GroupsUnavailable),
            _ => {
                identity.groups = ["renewed".to_owned()].into();
                Ok(identity)
            }
        }
    }

    async fn verify_logout(&self, token: &str, now: Timestamp) -> Result<LogoutToken, TokenError> {
        let parts: Vec<_> = token.split('.').collect();
        let ["logout", name, session] = parts[..] else {
            return Err(TokenError::Invalid("logout_events"));
        };
        let mut said = LogoutToken::new(IDP, token, Timestamp::from_millis(now.as_millis() - 1000));
        said.subject = part(name);
        said.session = part(session);
        Ok(said)
    }
}

fn house(answers: impl IntoIterator<Item = Answer>) -> House {
    let model = Model::new(answers);
    House::build(model, |s| s.login = Some(LoginHint::new(IDP, "laptop")), Idp)
}

fn form(path: &str, pairs: &[(&str, &str)]) -> Request<Full<bytes::Bytes>> {
    let body: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::from(body.join("&")))
        .unwrap()
}

fn exchange_form(token: &str) -> Request<Full<bytes::Bytes>> {
    form(
        "/copilot-guard/token",
        &[
            ("grant_type", EXCHANGE),
            ("subject_token_type", ACCESS),
            ("subject_token", token),
        ],
    )
}

async fn grant(house: &House, token: &str) -> (String, String) {
    let got = house
        .ask(as_person(token, "/copilot-guard/device-grants", ""))
        .await;
    assert_eq!(got.status, 200, "{got:?}");
    let json = got.json();
    assert_eq!(json["expires_in"], 7 * 24 * 3600);
    (
        json["device_grant"].as_str().unwrap().to_owned(),
        json["id"].as_str().unwrap().to_owned(),
    )
}

async fn gateway_token(house: &House, token: &str) -> String {
    let got = house.ask(as_person(token, "/copilot-guard/token", "")).await;
    assert_eq!(got.status, 200, "{got:?}");
    got.json()["access_token"].as_str().unwrap().to_owned()
}

async fn chat(house: &House, token: &str) -> u16 {
    house
        .ask(as_person(token, CHAT, prompt("hi", false)))
        .await
        .status
}

fn token(id: &str) -> Withdrawn {
    Withdrawn::Token { id: id.into() }
}

fn person(name: &str) -> Withdrawn {
    Withdrawn::Person {
        person: format!("{IDP}#{name}"),
    }
}

async fn revoke(house: &House, what: Withdrawn) {
    house.guard.revoke(what, "test", None).await.unwrap();
}

#[tokio::test]
async fn a_grant_is_good_for_tokens_alone() {
    let house = house([Answer::json(PLAIN)]);
    let (grant, id) = grant(&house, "dev.t1.s1.0").await;
    assert!(grant.starts_with("gho_") && !grant.contains(&id));
    // Neither the model nor the admin plane takes it.
    assert_eq!(chat(&house, &grant).await, 401);
    let got = house
        .ask(as_person(&grant, "/copilot-guard/device-grants", ""))
        .await;
    assert_eq!(got.status, 401, "a grant for a grant would never end");
    let token = gateway_token(&house, &grant).await;
    assert_eq!(chat(&house, &token).await, 200);
    // Its groups are those of now, not those of the login.
    let record = serde_json::to_string(&house.checked().await).unwrap();
    assert!(record.contains(r#""groups":["renewed"]"#), "{record}");
    assert!(!record.contains(&grant) && !record.contains(&token));
    // It is kept as a hash.
    let kept = house.access.grants(None, NOW).await.unwrap();
    assert!(!serde_json::to_string(&kept).unwrap().contains(&grant[8..]));
    // It ends.
    house.clock.advance(Duration::from_secs(7 * 24 * 3600));
    let got = house.ask(as_person(&grant, "/copilot-guard/token", "")).await;
    assert_eq!(got.status, 401);
}

#[tokio::test]
async fn only_a_person_with_a_login_gets_a_grant() {
    let house = house([]);
    let ask = async |token: &str| {
        house
            .ask(as_person(token, "/copilot-guard/device-grants", ""))
            .await
    };
    let machine = ask("ci.t1..0").await;
    assert_eq!((machine.status, machine.code().as_str()), (400, "not_a_person"));
    let second = gateway_token(&house, "dev.t1..0").await;
    let again = ask(&second).await;
    assert_eq!((again.status, again.code().as_str()), (400, "not_a_login"));
    assert_eq!(ask("nobody").await.status, 401);
    // Whose groups cannot be had gets no token, and not one without groups.
    let (left, _) = grant(&house, "left.t2..0").await;
    let got = house.ask(as_person(&left, "/copilot-guard/token", "")).await;
    assert_eq!((got.status, got.code().as_str()), (503, "groups_unavailable"));
}

#[tokio::test]
async fn nobody_has_grants_without_end() {
    let house = house([]);
    for n in 0..64 {
        grant(&house, &format!("dev.t{n}.s1.0")).await;
    }
    let ask = async |token: &str| {
        house
            .ask(as_person(token, "/copilot-guard/device-grants", ""))
            .await
    };
    let more = ask("dev.t99.s1.0").await;
    assert_eq!(
        (more.status, more.code().as_str()),
        (400, "too_many_device_grants")
    );
    assert_eq!(ask("ops.t1.s9.0").await.status, 200, "somebody else");
    revoke(&house, person("dev")).await;
    house.clock.advance(Duration::from_secs(2));
    assert_eq!(
        ask("dev.t100.s2.1").await.status,
        200,
        "withdrawn ones do not count"
    );
}

#[tokio::test]
async fn a_token_for_a_token_as_oauth_asks() {
    let house = house([Answer::json(PLAIN), Answer::json(PLAIN)]);
    let got = house.ask(exchange_form("dev.t1.s1.0")).await;
    assert_eq!(got.status, 200, "{got:?}");
    let json = got.json();
    assert_eq!(
        (json["token_type"].as_str(), json["expires_in"].as_u64()),
        (Some("Bearer"), Some(900))
    );
    assert_eq!(json["issued_token_type"], ACCESS);
    assert_eq!(chat(&house, json["access_token"].as_str().unwrap()).await, 200);
    let (grant, _) = grant(&house, "dev.t1.s1.0").await;
    assert_eq!(house.ask(exchange_form(&grant)).await.status, 200);
    type Pairs = [(&'static str, &'static str)];
    let rows: [(&Pairs, u16, &str); 8] = [
        (&[], 400, "invalid_request"),
        (
            &[("grant_type", "password"), ("subject_token", "dev.t1..0")],
            400,
            "unsupported_grant_type",
        ),
        (
            &[("grant_type", EXCHANGE), ("subject_token_type", ACCESS)],
            400,
            "invalid_request",
        ),
        (
            &[("grant_type", EXCHANGE), ("subject_token", "dev.t1..0")],
            400,
            "invalid_request",
        ),
        (
            &[
                ("grant_type", EXCHANGE),
                ("subject_token_type", ACCESS),
                ("subject_token", "nobody"),
            ],
            401,
            "invalid_token",
        ),
        (
            &[
                ("grant_type", EXCHANGE),
                ("subject_token_type", ACCESS),
                ("subject_token", "dev.t1..0"),
                ("subject_token", "ops.t1..0"),
            ],
            400,
            "invalid_request",
        ),
        (
            &[
                ("grant_type", EXCHANGE),
                ("subject_token_type", ACCESS),
                ("subject_token", "dev.t1..0"),
                ("actor_token", "ops.t1..0"),
            ],
            400,
            "invalid_request",
        ),
        (
            &[
                ("grant_type", EXCHANGE),
                ("subject_token_type", "urn:ietf:params:oauth:token-type:saml2"),
                ("subject_token", "dev.t1..0"),
            ],
            400,
            "invalid_request",
        ),
    ];
    for (pairs, status, code) in rows {
        let got = house.ask(form("/copilot-guard/token", pairs)).await;
        assert_eq!(
            (got.status, got.json()["error"].as_str()),
            (status, Some(code)),
            "{pairs:?}"
        );
    }
    // Not a form, too long, not UTF-8.
    for body in [
        "%zz=1".to_owned(),
        format!("subject_token={}", "a".repeat(70_000)),
    ] {
        let request = Request::post("/copilot-guard/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Full::from(body))
            .unwrap();
        assert_eq!(house.ask(request).await.status, 400);
    }
    // A gateway token's life is no longer than that of what it was made from.
    house.clock.advance(Duration::from_secs(3000));
    let json = house.ask(exchange_form("dev.t1.s1.0")).await.json();
    assert_eq!(json["expires_in"], 600);
}

#[tokio::test]
async fn what_is_withdrawn_is_refused_and_what_is_new_is_not() {
    let session = |name: &str| Withdrawn::Session { session: name.into() };
    let account = Withdrawn::Account {
        issuer: IDP.into(),
        subject: "dev".into(),
    };
    // What is revoked, and a token of a later login.
    for (what, other) in [
        (token("t1"), "dev.t2.s1.0"),
        (session("s1"), "dev.t1.s2.0"),
        (account, "dev.t1.s1.1"),
        (person("dev"), "dev.t1.s1.1"),
    ] {
        let house = house([Answer::json(PLAIN), Answer::json(PLAIN), Answer::json(PLAIN)]);
        let made = gateway_token(&house, "dev.t1.s1.0").await;
        let (grant, _) = grant(&house, "dev.t1.s1.0").await;
        assert_eq!(chat(&house, "dev.t1.s1.0").await, 200);
        revoke(&house, what.clone()).await;
        for old in ["dev.t1.s1.0", &made] {
            assert_eq!(chat(&house, old).await, 401, "{what:?}");
        }
        // And what was given for it, with all that it could be exchanged for.
        assert_eq!(house.ask(exchange_form(&grant)).await.status, 401, "{what:?}");
        assert_eq!(chat(&house, other).await, 200, "{what:?}");
        assert_eq!(chat(&house, "ops.t9.s9.0").await, 200, "{what:?}");
        let revoked = house
            .checked()
            .await
            .into_iter()
            .filter_map(|event| match event.kind {
                EventKind::Revoked(withdrawal) => Some((withdrawal.what, withdrawal.reason)),
                _ => None,
            });
        assert_eq!(
            revoked.collect::<Vec<_>>(),
            [(what.kind().to_owned(), "test".to_owned())]
        );
    }
}

#[tokio::test]
async fn an_open_answer_ends_with_the_access() {
    let (feed, answer) = Answer::fed();
    let house = house([answer]);
    let mut response = house
        .send(as_person("dev.t1.s1.0", CHAT, prompt("hi", true)))
        .await;
    let chunk =
        r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}"#;
    feed.send(Ok(format!("{chunk}\n\n").into())).unwrap();
    let first = one_piece(response.body_mut()).await.unwrap();
    assert!(first.contains("hello"));
    // Somebody else's access is not this one's.
    revoke(&house, person("ops")).await;
    feed.send(Ok(format!("{chunk}\n\n").into())).unwrap();
    assert!(one_piece(response.body_mut()).await.unwrap().contains("hello"));
    revoke(&house, person("dev")).await;
    let mut rest = String::new();
    while let Some(piece) = one_piece(response.body_mut()).await {
        rest.push_str(&piece);
    }
    assert!(
        rest.contains("access was withdrawn") && rest.contains("[DONE]"),
        "{rest}"
    );
    assert!(feed.is_closed(), "upstream goes on");
    let closing = house.closings().await.pop().unwrap();
    assert_eq!(
        (closing.outcome, closing.code.as_deref()),
        (Outcome::Refused, Some("access_revoked"))
    );
}

#[tokio::test]
async fn a_busy_answer_ends_too() {
    // Upstream never lets the driver wait.
    let chunk =
        r#"data: {"id":"c","choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}"#;
    let (feed, answer) = Answer::fed();
    for _ in 0..100_000 {
        feed.send(Ok(format!("{chunk}\n\n").into())).unwrap();
    }
    let house = house([answer]);
    let mut response = house
        .send(as_person("dev.t1.s1.0", CHAT, prompt("hi", true)))
        .await;
    one_piece(response.body_mut()).await.unwrap();
    revoke(&house, person("dev")).await;
    let mut rest = String::new();
    while let Some(piece) = one_piece(response.body_mut()).await {
        rest.push_str(&piece);
    }
    assert!(rest.contains("access was withdrawn"));
    drop(feed);
}

#[tokio::test]
async fn a_plain_answer_and_a_held_request_are_withheld() {
    for text in ["hi", "production"] {
        let house = house([Answer::Silence]);
        let mut call = house.call(as_person("dev.t1.s1.0", CHAT, prompt(text, false)));
        for _ in 0..200 {
            assert!(poll_once(&mut call).await.is_pending());
            tokio::task::yield_now().await;
        }
        revoke(&house, person("dev")).await;
        let got = read(call.await.unwrap()).await;
        assert_eq!(got.status, 401, "{got:?}");
        assert_eq!(house.model.alive(), 0);
        assert_eq!(house.closings().await[0].code.as_deref(), Some("access_revoked"));
    }
}

#[tokio::test]
async fn a_held_stream_ends_and_its_vote_releases_nothing() {
    let house = house([Answer::json(PLAIN)]);
    let mut response = house
        .send(as_person("dev.t1.s1.0", CHAT, prompt("production", true)))
        .await;
    one_piece(response.body_mut()).await.unwrap();
    revoke(&house, person("dev")).await;
    house.vote(true).await;
    let mut rest = String::new();
    while let Some(piece) = one_piece(response.body_mut()).await {
        rest.push_str(&piece);
    }
    assert!(rest.contains("access was withdrawn"), "{rest}");
    assert_eq!(house.model.calls(), 0);
}

#[tokio::test]
async fn a_tunnel_ends_with_the_access() {
    let house = house([]);
    let mut headers = http::HeaderMap::new();
    headers.insert("proxy-authorization", "Bearer dev.t1.s1.0".parse().unwrap());
    let tunnel = house.guard.identify_tunnel(&headers, None).await.unwrap();
    let mut over = Box::pin(tunnel.withdrawn());
    assert!(poll_once(&mut over).await.is_pending());
    revoke(&house, token("other")).await;
    assert!(poll_once(&mut over).await.is_pending());
    revoke(&house, token("t1")).await;
    over.await;
    assert!(house.guard.identify_tunnel(&headers, None).await.is_err());
}

#[tokio::test]
async fn who_holds_a_token_may_give_it_back() {
    let house = house([Answer::json(PLAIN), Answer::json(PLAIN), Answer::json(PLAIN)]);
    let back = async |token: &str| {
        house
            .ask(form("/copilot-guard/revoke", &[("token", token)]))
            .await
            .status
    };
    let (grant, _) = grant(&house, "dev.t1.s1.0").await;
    let (of_grant, other) = (
        gateway_token(&house, &grant).await,
        gateway_token(&house, "dev.t1.s1.0").await,
    );
    // One gateway token, and nothing that it came from.
    assert_eq!(back(&other).await, 200);
    assert_eq!(
        (chat(&house, &other).await, chat(&house, &of_grant).await),
        (401, 200)
    );
    // A grant, and what was given for it.
    assert_eq!(back(&grant).await, 200);
    assert_eq!(chat(&house, &of_grant).await, 401);
    assert_eq!(house.ask(exchange_form(&grant)).await.status, 401);
    assert_eq!(house.access.grants(None, NOW).await.unwrap(), []);
    assert_eq!(chat(&house, "dev.t1.s1.0").await, 200, "the login stands");
    // A login's token ends what was given for it, for good.
    let (of_login, _) = self::grant(&house, "dev.t7.s1.0").await;
    assert_eq!(back("dev.t7.s1.0").await, 200);
    house.clock.advance(Duration::from_secs(2 * 24 * 3600));
    assert_eq!(house.ask(exchange_form(&of_login)).await.status, 401);
    // RFC 7009, section 2.2: the same answer for what is no token.
    assert_eq!((back("nothing").await, back(&grant).await), (200, 200));
    assert_eq!(house.ask(form("/copilot-guard/revoke", &[])).await.status, 400);
}

#[tokio::test]
async fn a_logout_at_the_provider_ends_sessions() {
    let house = house([Answer::json(PLAIN), Answer::json(PLAIN), Answer::json(PLAIN)]);
    let logout = async |token: &str| {
        let request = form("/copilot-guard/backchannel-logout", &[("logout_token", token)]);
        house.ask(request).await.status
    };
    assert_eq!(chat(&house, "dev.t1.s1.0").await, 200);
    assert_eq!(logout("logout.dev.s1").await, 200);
    assert_eq!(chat(&house, "dev.t1.s1.0").await, 401);
    assert_eq!(
        chat(&house, "dev.t1.s2.0").await,
        200,
        "another session of the same person"
    );
    assert_eq!(logout("logout.dev.s1").await, 400, "once more");
    // Without a session, all of the account until then; said again later, nothing of a later login.
    house.clock.advance(Duration::from_secs(2));
    assert_eq!(logout("logout.dev.").await, 200);
    assert_eq!(chat(&house, "dev.t1.s2.0").await, 401);
    assert_eq!(chat(&house, "dev.t1.s3.2").await, 200);
    for bad in ["logout..", "dev.t1.s1.0", "nothing"] {
        assert_eq!(logout(bad).await, 400, "{bad}");
    }
}

#[tokio::test]
async fn operators_take_access_back() {
    let house = House::keyed_with(Model::new([]), Idp, |builder| {
        builder.with_admin(AdminAccess::new(Arc::new(Idp)).with_operators(["operators"]))
    });
    let post = async |token: &str, body: &str| {
        let request = Request::post("/api/revocations")
            .header("authorization", format!("Bearer {token}"))
            .body(bytes::Bytes::from(body.to_owned()))
            .unwrap();
        house.guard.admin(request).await.status().as_u16()
    };
    let good = format!(r#"{{"person":"{IDP}#dev","reason":"laptop lost"}}"#);
    assert_eq!(post("ci.t1..0", &good).await, 403, "a machine");
    for bad in [
        "",
        "{}",
        r#"{"reason":"x"}"#,
        r#"{"person":"a"}"#,
        r#"{"person":"a","reason":" "}"#,
        r#"{"person":"","reason":"x"}"#,
        r#"{"person":"a","session":"b","reason":"x"}"#,
        r#"{"issuer":"a","reason":"x"}"#,
        r#"{"person":"a","reason":"x","more":1}"#,
    ] {
        assert_eq!(post("ops.t1..0", bad).await, 400, "{bad}");
    }
    assert_eq!(post("ops.t1..0", &good).await, 200);
    assert_eq!(chat(&house, "dev.t1.s1.0").await, 401);
    let get = Request::get("/api/revocations")
        .header("authorization", "Bearer ops.t1..0")
        .body(bytes::Bytes::new())
        .unwrap();
    let list = house.guard.admin(get).await;
    let list: serde_json::Value = serde_json::from_slice(list.body()).unwrap();
    assert_eq!(list["items"][0]["what"]["person"], format!("{IDP}#dev"));
    // Who is withdrawn is out here as well; a login of long ago is not enough.
    assert_eq!(post("dev.t1.s1.0", &good).await, 401);
    house.clock.advance(Duration::from_secs(13 * 3600));
    assert_eq!(post("ops.t1..46800", &good).await, 403);
    let withdrawals = house
        .record()
        .await
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Revoked(withdrawal) => Some(withdrawal),
            _ => None,
        });
    let withdrawals: Vec<_> = withdrawals.collect();
    assert_eq!(withdrawals.len(), 1);
    assert_eq!(
        withdrawals[0].by.as_ref().map(|by| by.subject.as_str()),
        Some("ops")
    );
}

/// A store that fails where it is told to.
#[derive(Debug, Clone, Default)]
struct Failing {
    store: MemoryStore,
    list: Arc<AtomicBool>,
    revoke: Arc<AtomicBool>,
}

impl Failing {
    fn fails(flag: &AtomicBool) -> Result<(), StoreError> {
        match flag.load(Ordering::SeqCst) {
            true => Err(StoreError::message("told to fail")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl AccessStore for Failing {
    async fn put_grant(&self, grant: &DeviceGrant) -> Result<(), StoreError> {
        self.store.put_grant(grant).await
    }
    async fn find_grant(&self, hash: &GrantHash, now: Timestamp) -> Result<Option<DeviceGrant>, StoreError> {
        self.store.find_grant(hash, now).await
    }
    async fn grants(&self, person: Option<&str>, now: Timestamp) -> Result<Vec<DeviceGrant>, StoreError> {
        self.store.grants(person, now).await
    }
    async fn remove_grant(&self, hash: &GrantHash) -> Result<bool, StoreError> {
        self.store.remove_grant(hash).await
    }
    async fn revoke(&self, revocation: &Revocation) -> Result<(), StoreError> {
        Self::fails(&self.revoke)?;
        self.store.revoke(revocation).await
    }
    async fn revocations(&self, now: Timestamp) -> Result<Vec<Revocation>, StoreError> {
        Self::fails(&self.list)?;
        self.store.revocations(now).await
    }
}

/// What the store does not keep counts here all the same, and is offered to it again.
#[tokio::test(start_paused = true)]
async fn a_revocation_outlives_a_failing_store() {
    let store = Failing::default();
    let house = House::keyed_with(Model::new([]), Idp, |builder| {
        builder.with_access(Arc::new(store.clone()))
    });
    store.revoke.store(true, Ordering::SeqCst);
    assert!(house.guard.revoke(token("t1"), "test", None).await.is_err());
    // Over several readings of the list.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(chat(&house, "dev.t1.s1.0").await, 401);
    }
    assert_eq!(store.store.revocations(NOW).await.unwrap(), []);
    store.revoke.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let kept = store.store.revocations(NOW).await.unwrap();
    assert_eq!(
        (kept.len(), &kept[0].what, kept[0].reason.as_str()),
        (1, &token("t1"), "test")
    );
    assert_eq!(chat(&house, "dev.t1.s1.0").await, 401);
}

/// One that failed may be said again; one that says session and account ends tokens that name no session too.
#[tokio::test]
async fn a_logout_that_could_not_be_kept_is_said_again() {
    let store = Failing::default();
    let house = House::keyed_with(Model::new([Answer::json(PLAIN)]), Idp, |builder| {
        builder.with_access(Arc::new(store.clone()))
    });
    let logout = async || {
        let request = form(
            "/copilot-guard/backchannel-logout",
            &[("logout_token", "logout.dev.s1")],
        );
        house.ask(request).await.status
    };
    store.revoke.store(true, Ordering::SeqCst);
    assert_eq!(logout().await, 503);
    store.revoke.store(false, Ordering::SeqCst);
    assert_eq!(logout().await, 200);
    assert_eq!(logout().await, 400, "once more");
    house.clock.advance(Duration::from_secs(2));
    for (token, status) in [("dev.t1.s1.0", 401), ("dev.t1.s2.0", 200)] {
        assert_eq!(chat(&house, token).await, status, "{token}");
    }
}

#[tokio::test]
async fn what_cannot_be_given_back_is_not_said_to_be() {
    let house = house([]);
    let back = async |token: &str| {
        house
            .ask(form("/copilot-guard/revoke", &[("token", token)]))
            .await
    };
    let got = back("dev...0").await;
    assert_eq!(
        (got.status, got.json()["error"].as_str()),
        (400, Some("unsupported_token_type"))
    );
    // A grant whose holder could get no token for it just now.
    let (left, _) = grant(&house, "left.t2..0").await;
    assert_eq!(back(&left).await.status, 200);
    assert_eq!(house.access.grants(None, NOW).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_refused_is_on_record_without_secrets() {
    let house = House::keyed_with(Model::new([]), Idp, |builder| {
        builder.with_admin(AdminAccess::new(Arc::new(Idp)).with_operators(["operators"]))
    });
    let admin = Request::get("/api/revocations").header("authorization", "Bearer nobody");
    assert_eq!(
        house
            .guard
            .admin(admin.body(bytes::Bytes::new()).unwrap())
            .await
            .status(),
        401
    );
    assert_eq!(house.ask(form("/copilot-guard/token", &[])).await.status, 400);
    let pasted = format!("/v1/{}_{}/chat", "ghp", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8");
    assert_eq!(house.ask(as_person("nobody", &pasted, "")).await.status, 404);
    let refused: Vec<_> = house
        .record()
        .await
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Refused { code, from, .. } => {
                Some((code, from.and_then(|f| f.request).unwrap_or_default()))
            }
            _ => None,
        })
        .collect();
    let refused: Vec<_> = refused
        .iter()
        .map(|(code, request)| (code.as_str(), request.as_str()))
        .collect();
    assert_eq!(
        refused,
        [
            ("segments", "GET /api/revocations"),
            ("invalid_request", "POST /copilot-guard/token"),
            ("unknown_route", "[REDACTED:request]"),
        ]
    );
}

#[tokio::test]
async fn nobody_comes_in_while_revocations_cannot_be_read() {
    let store = Failing::default();
    store.list.store(true, Ordering::SeqCst);
    let house = House::keyed_with(Model::new([]), Idp, |builder| {
        builder.with_access(Arc::new(store.clone()))
    });
    let got = house
        .ask(as_person("dev.t1.s1.0", CHAT, prompt("hi", false)))
        .await;
    assert_eq!(
        (got.status, got.code().as_str()),
        (503, "revocations_unavailable")
    );
}

#[tokio::test]
async fn the_login_command_is_told_where_to_sign_in() {
    let house = house([]);
    let get = || {
        Request::get("/copilot-guard/login")
            .body(Full::default())
            .unwrap()
    };
    let got = house.ask(get()).await;
    assert_eq!(
        (got.status, got.json()["client_id"].as_str()),
        (200, Some("laptop"))
    );
    let without = House::new(Model::new([]));
    assert_eq!(without.ask(get()).await.status, 404);
}

#[tokio::test]
async fn strangers_are_told_apart_by_their_address() {
    let house = House::new(Model::new([]));
    let ask = async |address: &str| {
        let mut request = as_person("nobody", CHAT, "{}");
        let address = ClientAddress(address.parse().unwrap());
        request.extensions_mut().insert(address);
        assert_eq!(house.ask(request).await.status, 401);
    };
    for _ in 0..50 {
        ask("192.0.2.1").await;
    }
    ask("192.0.2.2").await;
    let seen: Vec<_> = house
        .record()
        .await
        .into_iter()
        .filter_map(|event| match event.kind {
            EventKind::Refused {
                from, code, count, ..
            } => Some((from.unwrap(), code, count)),
            _ => None,
        })
        .collect();
    assert_eq!(
        seen.len(),
        12,
        "ten of the flood, the one beside it, and the rest as a count"
    );
    assert_eq!(
        (seen[11].0.address.as_deref(), seen[11].2),
        (Some("192.0.2.1"), 40)
    );
    assert_eq!(seen[10].0.address.as_deref(), Some("192.0.2.2"));
    assert_eq!(seen[0].0.request.as_deref(), Some("POST /v1/chat/completions"));
    assert_eq!(seen[0].1, "bad_signature");
}
