use proptest::prelude::*;
use zentinel_modsec::parser::Parser;

use super::*;

/// Pieces a hostile or clumsy operator would put together.
fn soup() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "SecRule ",
        "SecAction ",
        "Include ",
        "SecRuleEngine Off",
        "ARGS",
        "XML:/*",
        "ARGS:a",
        "!",
        "&",
        "|",
        ":",
        "/",
        "'",
        "\"",
        "\\",
        "\\\"",
        "\\\n",
        "\n",
        " ",
        "\t",
        ",",
        "@rx ",
        "@streq ",
        "(?i)a",
        "é",
        "`",
        "#",
        "%{",
        "%{TX.1}",
        "}",
        "chain",
        "deny",
        "msg:'a'",
        "t:none",
        "id:190001",
        "phase:1",
        "redirect:'http://a/'",
        "setvar:tx.custom_a=1",
        "\u{a0}",
        "\u{85}",
    ]);
    prop::collection::vec(words, 0..40).prop_map(|words| words.concat())
}

fn argument() -> impl Strategy<Value = String> {
    // what stands in the operator's quotes, so `"` only behind an odd run of backslashes
    let parts = prop::sample::select(vec![
        "a",
        "B",
        " ",
        "\\\"",
        "\\\\\\\"",
        "\\\\",
        "\\ ",
        "'",
        ",",
        "%",
        "{",
        "`",
        "#",
        "é",
        "|",
        "/",
        "\u{a0}",
        "SecRuleEngine Off",
        "\\x",
    ]);
    prop::collection::vec(parts, 1..12).prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = String> {
    "[a-zé ,:|/\\\\#`=;%&(){}-]{1,20}"
}

fn rule() -> impl Strategy<Value = String> {
    let targets =
        prop::sample::select(vec!["ARGS", "&ARGS:a|ARGS_NAMES", "ARGS:/a\\/|b/|!ARGS:'/c/'", "REQUEST_URI", "XML://@*|TX:custom_1"]);
    let operator = prop::sample::select(vec!["@streq ", "!@contains ", "@within ", "@rx ", "@pm ", ""]);
    let disruptive = prop::sample::select(vec!["deny", "drop", "pass", "block", "nolog,auditlog"]);
    (targets, operator, argument(), value(), disruptive, any::<bool>()).prop_map(
        |(targets, operator, argument, value, disruptive, chain)| {
            let first = format!("SecRule {targets} \"{operator}{argument}\" \"phase:1,{disruptive},msg:'{value}',t:trim,tag:'{value}'");
            if chain {
                format!("{first},chain\"\nSecRule {targets} \"{operator}{argument}\" \"logdata:'{value}'\"")
            } else {
                format!("{first}\"")
            }
        },
    )
}

/// What must hold for everything that is accepted.
fn check(rule: &CustomRule) {
    let text = rule.emit();
    assert_eq!(text.lines().count(), rule.links.len(), "{text}");
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
    for line in text.split('\n') {
        assert!(line.starts_with("SecRule ") || line.starts_with("SecAction "), "{line}");
        assert!(line.ends_with('"') && line.len() < 60_000, "{line}");
        assert_eq!(line, line.trim(), "{line}");
    }
    assert_eq!(text.matches("id:190001,").count(), 1, "{text}");
    assert_eq!(parse_custom_rule(ID, &text).as_ref(), Ok(rule), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn hostile_text_never_panics(text in soup()) {
        if let Ok(rule) = parse_custom_rule(ID, &text) {
            check(&rule);
        }
    }

    #[test]
    fn any_text_never_panics(text in "(SecRule [A-Z:/!&|]{0,9} \"|SecAction \")?\\PC{0,60}\"?") {
        match parse_custom_rule(ID, &text) {
            Ok(rule) => check(&rule),
            Err(problems) => for problem in problems {
                prop_assert!(text.get(problem.span.start..problem.span.end).is_some());
            },
        }
    }

    #[test]
    fn accepted_rules_come_back(text in rule()) {
        if let Ok(rule) = parse_custom_rule(ID, &text) {
            check(&rule);
        }
    }
}

/// A second opinion: another parser of the language reads what we write. (It unescapes more than
/// Coraza does, so only ordinary rules are asked about.)
#[test]
fn another_parser_reads_it() {
    let rule = accept(
        "SecRule ARGS|!ARGS:a \"@rx ^a\\d\" \"deny,msg:'a, b',t:lowercase,chain\"\nSecRule &REQUEST_HEADERS \"@gt 1\" \"setvar:tx.xss_score=+5\"",
    );
    let mut parser = Parser::new();
    parser.parse(&rule.emit()).expect("parses");
    assert!(!parser.directives().is_empty());
}
