//! Fields by name: how they are written, and what only looks like it.

use copilot_guard::detect::RuleSet;

use super::{Heard, redact, stream};

/// A text; the masked value stands between `‹` and `›`.
const HITS: &[&str] = &[
    r#"let customer_no = "‹K-4711›";"#,
    r#"const customerNo: string = '‹K-4711›';"#,
    "customerNo := `‹K-4711›`",
    r#"pub const CUSTOMER_NO: &str = "‹K-4711›";"#,
    r#"{"customer_no": "‹K-4711›", "x": 1}"#,
    r#"{"customer-no":"‹Erika "#, // an open end is an end
    r#"{\"customerNo\": \"‹K-4711›\"}"#,
    r#"row["customer_no"] = "‹K-4711›""#,
    r#"if (order.customerNo === "‹K-4711›") {"#,
    r#"customer_no="‹it's \"quoted\" here›""#,
    r#"customer_no: "‹Jürgen Groß›""#,
    r#"{"customer_no": ‹4711471›, "x": 1}"#,
    "{ customerNo: ‹4711471› }",
    "customer_no: ‹K-4711-0815›\nnext: 1",
    "CUSTOMER_NO=‹abcdefgh›\n",
    "export CUSTOMERNO=‹abcdefgh›",
    "customer_no = ‹47114711›",
    "run --customer-no ‹K-4711› --dry",
    "run --customer-no=‹abcdefgh› --dry",
    "run --customer-no \"‹ab cd›\"",
    "<CustomerNo>‹K-4711›</CustomerNo>",
    "<ns:customer_no type=\"a\">‹Some One›</ns:customer_no>",
    r#"<order customer-no="‹K-4711›"/>"#,
    "Kundennummer: ‹123456›, seit",
    "kundenNummer=‹123456›;",
    "\"KUNDENNUMMER\" => \"‹abcd›\"",
];

const MISSES: &[&str] = &[
    "let customer_no = read_customer_no();",
    "this.customerNo = customerNo;",
    "customerNo: string;",
    "customer_no: Option<String>,",
    "customer_no: CustomerNumber,",
    "customer_no = args[1234]",
    "customer_no=$CUSTOMER_NO",
    "customer_no = process.env.CUSTOMER_NO_1234;",
    r#"customer_no = "${CUSTOMER_NO}""#,
    r#"customer_no: "{{ customer_no }}""#,
    r#"customer_no = """#,
    r#"customer_no = "abc""#,
    r#"my_customer_no = "K-4711""#,
    r#"customer_no_2 = "K-4711""#,
    r#"customer_note = "K-4711""#,
    r#"kundennummern = "K-4711""#,
    "The customer_no of 47114711 is not known.",
    "run --customer-no must be given",
    "<CustomerNote>K-4711</CustomerNote>",
    r#"customer_no = "[REDACTED:customer-number]""#,
    "customer_no: [REDACTED:customer-number]\n",
    "CUSTOMER_NO=[REDACTED:customer-number]\n",
];

fn rules() -> RuleSet {
    RuleSet::builder()
        .field("customer-number", ["kundennummer", "customer_no"], 4, 256)
        .unwrap()
        .build()
        .unwrap()
}

#[test]
fn fields_are_found_as_they_are_written() {
    let rules = rules();
    let mut wrong = Vec::new();
    for hit in HITS {
        let text: String = hit.replace(['‹', '›'], "");
        let front = &hit[..hit.find('‹').unwrap()];
        let back = hit.find('›').map_or("", |at| &hit[at + '›'.len_utf8()..]);
        let masked = String::from_utf8(redact(&rules, &rules.all(), text.as_bytes())).unwrap();
        let expected = format!("{front}[REDACTED:customer-number]{back}");
        if masked != expected {
            wrong.push(format!("{hit} gave {masked}"));
        }
        if redact(&rules, &rules.all(), masked.as_bytes()) != masked.as_bytes() {
            wrong.push(format!("{hit}: redacting twice changes it"));
        }
        let mut redactor = rules.redactor(&rules.all());
        let whole = stream(&mut redactor, [text.as_bytes()]);
        assert_eq!(stream(&mut redactor, text.as_bytes().chunks(1)), whole, "{hit}");
        assert_eq!(whole, Heard::expected(text.as_bytes(), &whole.spans), "{hit}");
    }
    for miss in MISSES {
        if !rules.scan(&rules.all(), miss.as_bytes()).is_empty() {
            wrong.push(format!("found in: {miss}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lengths_count_in_characters() {
    let rules = RuleSet::builder()
        .field("f", ["f"], 3, 5)
        .unwrap()
        .build()
        .unwrap();
    for (value, found) in [("äö", false), ("äöü", true), ("äöüäö", true), ("äöüäöü", false)] {
        let text = format!("f = \"{value}\"");
        assert_eq!(
            rules.scan(&rules.all(), text.as_bytes()).len(),
            usize::from(found),
            "{value}"
        );
    }
}

#[test]
fn what_is_no_field_is_refused() {
    let field = |names: &[&str], min, max| {
        RuleSet::builder()
            .field("f", names.iter().copied(), min, max)
            .err()
    };
    for (names, min, max, problem) in [
        (&["a b"][..], 4, 256, "name"),
        (&["a.b"], 4, 256, "name"),
        (&["_"], 4, 256, "name"),
        (&[""], 4, 256, "name"),
        (&[], 4, 256, "0 names"),
        (&["a"], 0, 256, "0 to 256"),
        (&["a"], 9, 8, "9 to 8"),
        (&["a"], 4, 801, "4 to 801"),
    ] {
        let error = field(names, min, max).unwrap_or_else(|| panic!("{names:?} was taken"));
        assert!(error.to_string().contains(problem), "{error}");
    }
    let longest = RuleSet::builder()
        .field("f", ["straße", "X"], 1, 800)
        .unwrap()
        .build();
    assert!(longest.is_ok(), "{:?}", longest.err());
}
