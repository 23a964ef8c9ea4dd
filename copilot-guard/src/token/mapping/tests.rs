use super::*;

#[test]
fn reads_configuration() {
    #[derive(Deserialize)]
    struct File {
        groups: Vec<GroupSource>,
        required: BTreeMap<String, Expected>,
        synthetic: Vec<SyntheticGroup>,
    }
    let file: File = toml::from_str(
        r#"
        groups = [
          { claim = "groups", require_prefix = "/a/", strip_prefix = "/a/", rename = { x = "y" } },
          { claim = "scp", shape = "space_separated", prefix = "scope:" },
        ]
        required = { hd = "example.com", email_verified = true, level = 2 }
        synthetic = [{ group = "ci", when = { repository_owner_id = "1" } }]
        "#,
    )
    .unwrap();
    let groups = GroupSource::new("groups")
        .with_require_prefix("/a/")
        .with_strip_prefix("/a/")
        .with_rename("x", "y");
    let scope = GroupSource::new("scp")
        .with_shape(Shape::SpaceSeparated)
        .with_prefix("scope:");
    assert_eq!(file.groups, [groups, scope]);
    assert_eq!(file.required["hd"], "example.com".into());
    assert_eq!(file.required["email_verified"], true.into());
    assert_eq!(file.required["level"], 2.into());
    assert_eq!(
        file.synthetic,
        [SyntheticGroup::new("ci", [("repository_owner_id", "1")])]
    );
    assert!(toml::from_str::<File>(r#"groups = [{ claim = "g", splt = "," }]"#).is_err());
}

fn renamed(source: GroupSource, name: &str) -> Result<Option<String>, TokenError> {
    Source::parse(&source).unwrap().rename(name)
}

#[test]
fn the_steps_are_taken_in_order() {
    let source = GroupSource::new("g")
        .with_require_prefix("/org/")
        .with_strip_prefix("/org/")
        .with_rename("dev", "developers")
        .with_rename("/org/ops", "never: it was stripped before")
        .with_prefix("team:");
    let name = |name: &str| renamed(source.clone(), name).unwrap();
    assert_eq!(name("/org/dev").as_deref(), Some("team:developers"));
    assert_eq!(name("/org/ops").as_deref(), Some("team:ops"));
    assert_eq!(name("/org/org/dev").as_deref(), Some("team:org/dev"), "once");
    for other in ["dev", "/Org/dev", "/or", " /org/dev", "/other/dev"] {
        assert_eq!(name(other), None, "{other}");
    }
    assert_eq!(
        renamed(source, "/org/"),
        Err(TokenError::Invalid("group_malformed"))
    );
    let strip = GroupSource::new("g").with_strip_prefix("/org/");
    assert_eq!(renamed(strip, "dev").unwrap().as_deref(), Some("dev"));
}

#[test]
fn mistakes_in_a_source() {
    let good = || GroupSource::new("g");
    for bad in [
        GroupSource::new(""),
        good().with_prefix("\n"),
        good().with_strip_prefix("\0"),
        good().with_require_prefix("\t"),
        good().with_rename("", "x"),
        good().with_rename("x", ""),
        good().with_rename("x", "a\nb"),
    ] {
        assert!(Source::parse(&bad).is_err(), "{bad:?}");
    }
    assert!(Source::parse(&good()).is_ok());
}

#[test]
fn a_list_of_just_the_length_of_the_cut_is_suspicious() {
    let mapping = Mapping {
        sources: vec![Source::parse(&GroupSource::new("groups")).unwrap()],
        cut_at: Some(3),
        ..Mapping::default()
    };
    for (groups, suspicious) in [
        (r#"["a","b"]"#, false),
        (r#"["a","b","c"]"#, true),
        (r#"["a","b","c","d"]"#, false),
    ] {
        let claims = Json::parse_object(format!(r#"{{"groups":{groups}}}"#).as_bytes());
        let found = mapping.read(&claims.ok().unwrap(), CallerKind::Person).unwrap();
        assert_eq!(found.suspicious, suspicious, "{groups}");
    }
}

#[test]
fn what_the_directory_does_not_know_stays() {
    let mapping = Mapping {
        sources: vec![
            Source::parse(&GroupSource::new("groups")).unwrap(),
            Source::parse(&GroupSource::new("roles").with_prefix("role:")).unwrap(),
        ],
        synthetic: vec![("ci".to_owned(), Conditions::default())],
        resolved: Some(Source::parse(&GroupSource::new("groups")).unwrap()),
        namespace: "n#".to_owned(),
        ..Mapping::default()
    };
    let set = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
    let before = set(&["n#old", "n#role:admin", "n#ci", "stray"]);
    assert_eq!(mapping.without_directory(&before), set(&["n#role:admin", "n#ci"]));
}
