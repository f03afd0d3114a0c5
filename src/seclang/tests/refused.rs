use super::*;

/// `(given, code)`: the code is among the problems.
const TABLE: &[(&str, &str)] = &[
    ("", "empty-rule"),
    ("# only a comment", "empty-rule"),
    ("Include /etc/passwd", "refused-directive"),
    ("SecRuleEngine Off", "refused-directive"),
    ("SecRuleRemoveById 942100", "refused-directive"),
    ("SecMarker END", "refused-directive"),
    ("SecDefaultAction \"phase:1,pass\"", "refused-directive"),
    ("SecRuleScript /x.lua", "refused-directive"),
    ("SecRul ARGS \"x\"", "unknown-directive"),
    ("SecRule ARGS \"x\"\nSecRule ARGS \"y\"", "second-rule"),
    ("SecRule ARGS \"x\"\nSecRuleEngine Off", "refused-directive"),
    ("SecRule ARGS \"x\" \"chain\"", "chain-without-rule"),
    ("SecRule ARGS \"x\" \"chain\"\nSecAction \"pass\"", "action-in-chain"),
    ("SecRule ARGS \"x\" \"chain\"\nSecRule ARGS \"y\" \"id:190001\"", "first-link-only"),
    ("SecRule ARGS \"x\" \"chain\"\nSecRule ARGS \"y\" \"deny\"", "first-link-only"),
    ("SecRule ARGS \"x\" \"chain\"\nSecRule ARGS \"y\" \"phase:2\"", "first-link-only"),
    ("SecAction \"chain\"", "needs-secrule"),
    ("SecRule ARGS \"x\" \\", "unfinished-line"),
    ("SecRule ARGS \"x\r\n\"", "control-character"),
    ("SecRule ARGS \"x\0\"", "control-character"),
    ("SecRule ARGS \"a\tb\"", "control-character"),
    ("SecRule ARGS \"x\u{202e}\"", "invisible-character"),
    ("SecRule ARGS x", "quote-expected"),
    ("SecRule ARGS 'x'", "quote-expected"),
    ("SecRule \"ARGS\" \"x\"", "malformed-rule"),
    ("SecRule", "malformed-rule"),
    ("SecRule ARGS \"x\\\"", "unclosed-quote"),
    ("SecRule ARGS \"x\" \"deny", "unclosed-quote"),
    ("SecRule ARGS \"x\" \"deny\" Include", "text-after-actions"),
    ("SecRule ARGS \"x\" \"msg:'a\"b'\"", "text-after-actions"),
    ("SecRule ARGS \"x\" \"id:942100\"", "id-mismatch"),
    ("SecRule ARGS \"x\" \"id:190002\"", "id-mismatch"),
    ("SecRule ARGS \"x\" \"phase:3\"", "refused-phase"),
    ("SecRule ARGS \"x\" \"phase:5\"", "refused-phase"),
    ("SecRule ARGS \"x\" \"phase:logging\"", "refused-phase"),
    ("SecRule ARGS \"x\" \"phase:x\"", "refused-phase"),
    ("SecRule RESPONSE_BODY \"x\"", "response-variable"),
    ("SecRule RES_BODY_ERROR \"x\"", "response-variable"),
    ("SecRule STATUS_LINE \"x\"", "response-variable"),
    ("SecRule FILES_TMP_CONTENT \"x\"", "refused-variable"),
    ("SecRule FILES_TMPNAMES \"x\"", "refused-variable"),
    ("SecRule ENV:PATH \"x\"", "refused-variable"),
    ("SecRule FULL_REQUEST \"x\"", "empty-variable"),
    ("SecRule GEO:COUNTRY_CODE \"x\"", "empty-variable"),
    ("SecRule SESSION:x \"x\"", "unknown-variable"),
    ("SecRule ARG \"x\"", "unknown-variable"),
    ("SecRule ARGS| \"x\"", "unknown-variable"),
    ("SecRule REQUEST_URI:x \"x\"", "no-selector"),
    ("SecRule &REQUEST_URI \"@eq 1\"", "not-a-collection"),
    ("SecRule ARGS|!ARGS \"x\"", "exclusion-of-everything"),
    ("SecRule !ARGS:a|ARGS \"x\"", "exclusion-of-nothing"),
    ("SecRule ARGS: \"x\"", "invalid-selector"),
    ("SecRule ARGS:a/b \"x\"", "invalid-selector"),
    ("SecRule ARGS:/a \"x\"", "invalid-selector"),
    ("SecRule ARGS:/a/b \"x\"", "invalid-selector"),
    ("SecRule ARGS:/\\D/ \"x\"", "upper-case-in-selector"),
    ("SecRule ARGS:/(?P<x>a)/ \"x\"", "upper-case-in-selector"),
    ("SecRule XML:/foo/bar \"x\"", "unknown-xpath"),
    ("SecRule ARGS:/\\pL/ \"x\"", "upper-case-in-selector"),
    ("SecRule ARGS:/\\xff/ \"x\"", "invalid-selector"),
    ("SecRule ARGS \"@pm \\xff a\"", "invalid-words"),
    ("SecRule ARGS \"@pm rx:true:(?sm)a b\"", "invalid-words"),
    ("SecRule XML \"x\"", "selector-needed"),
    ("SecRule ARGS \"@inspectFile /usr/bin/touch\"", "refused-operator"),
    ("SecRule ARGS \"!@pmFromFile x\"", "refused-operator"),
    ("SecRule ARGS \"@pmf x\"", "refused-operator"),
    ("SecRule ARGS \"@ipMatchFromDataset x\"", "refused-operator"),
    ("SecRule ARGS \"@rbl x\"", "refused-operator"),
    ("SecRule ARGS \"@validateSchema x\"", "refused-operator"),
    ("SecRule ARGS \"@geoLookup\"", "refused-operator"),
    ("SecRule ARGS \"@validateNid cl .*\"", "refused-operator"),
    ("SecRule ARGS \"@RX x\"", "unknown-operator"),
    ("SecRule ARGS \"@ x\"", "unknown-operator"),
    ("SecRule ARGS \" @inspectFile x\"", "blank-before-operator"),
    ("SecRule ARGS \"@streq\"", "missing-argument"),
    ("SecRule ARGS \"\"", "missing-argument"),
    ("SecRule ARGS \"!\"", "missing-argument"),
    ("SecRule ARGS \"@detectXSS x\"", "unexpected-argument"),
    ("SecRule ARGS \"@eq x\"", "not-a-number"),
    ("SecRule ARGS \"@ipMatch 1.2.3\"", "not-a-network"),
    ("SecRule ARGS \"@ipMatch 1.2.3.4/33\"", "not-a-network"),
    ("SecRule ARGS \"@validateByteRange 1-256\"", "not-a-byte-range"),
    ("SecRule ARGS \"@restpath /{a}/{a}\"", "invalid-path"),
    ("SecRule ARGS \"@streq %{ENV.PATH}\"", "refused-macro"),
    ("SecRule ARGS \"@streq %{a b}\"", "malformed-macro"),
    ("SecRule ARGS \"@streq %{TX.a\"", "malformed-macro"),
    ("SecRule ARGS \"a(?=b)\"", "unsupported-regex"),
    ("SecRule ARGS \"a(?!b)\"", "unsupported-regex"),
    ("SecRule ARGS \"(?<=b)a\"", "unsupported-regex"),
    ("SecRule ARGS \"(?>b)\"", "unsupported-regex"),
    ("SecRule ARGS \"(a)\\1\"", "unsupported-regex"),
    ("SecRule ARGS \"a++\"", "unsupported-regex"),
    ("SecRule ARGS \"x\" \"t:lowercas\"", "unknown-transformation"),
    ("SecRule ARGS \"x\" \"ctl:ruleEngine=Off\"", "refused-action"),
    ("SecRule ARGS \"x\" \"allow\"", "refused-action"),
    ("SecRule ARGS \"x\" \"skipAfter:END\"", "refused-action"),
    ("SecRule ARGS \"x\" \"exec:/bin/sh\"", "refused-action"),
    ("SecRule ARGS \"x\" \"setenv:a=b\"", "refused-action"),
    ("SecRule ARGS \"x\" \"initcol:ip=%{REMOTE_ADDR}\"", "refused-action"),
    ("SecRule ARGS \"x\" \"proxy:x\"", "refused-action"),
    ("SecRule ARGS \"x\" \"denny\"", "unknown-action"),
    ("SecRule ARGS \"x\" \"msg:a,b\"", "unknown-action"),
    ("SecRule ARGS \"x\" \"deny,,log\"", "empty-action"),
    ("SecRule ARGS \"x\" \"deny:1\"", "unexpected-value"),
    ("SecRule ARGS \"x\" \"msg:''\"", "missing-value"),
    ("SecRule ARGS \"x\" \"msg\"", "missing-value"),
    ("SecRule ARGS \"x\" \"msg:a,msg:b\"", "duplicate-action"),
    ("SecRule ARGS \"x\" \"deny,pass\"", "two-disruptive-actions"),
    ("SecRule ARGS \"x\" \"msg:'it\\'s'\"", "quote-in-value"),
    ("SecRule ARGS \"x\" \"msg:'a\\\"b'\"", "quote-in-value"),
    ("SecRule ARGS \"x\" \"msg:'a\"", "quote-in-value"),
    ("SecRule ARGS \"x\" \"msg:'a\\ '\"", "backslash-at-end"),
    ("SecRule ARGS \"x\" \"msg:'%{REQUEST_HEADERS.Cookie}'\"", "refused-macro"),
    ("SecRule ARGS \"x\" \"status:403\"", "status-without-deny"),
    ("SecRule ARGS \"x\" \"deny,status:200\"", "refused-status"),
    ("SecRule ARGS \"x\" \"redirect:https://a.example/,status:301\"", "refused-status"),
    ("SecRule ARGS \"x\" \"redirect:/local\"", "invalid-redirect"),
    ("SecRule ARGS \"x\" \"redirect:javascript:alert(1)\"", "invalid-redirect"),
    ("SecRule ARGS \"x\" \"redirect:https://a@b.example/\"", "invalid-redirect"),
    ("SecRule ARGS \"x\" \"redirect:https:///x\"", "invalid-redirect"),
    ("SecRule ARGS \"x\" \"redirect:'https://a.example/ x'\"", "invalid-redirect"),
    ("SecRule ARGS \"x\" \"redirect:https://a.example/%{TX.0}\"", "invalid-redirect"),
    ("SecRule ARGS \"x\" \"severity:9\"", "unknown-severity"),
    ("SecRule ARGS \"x\" \"maturity:0\"", "invalid-value"),
    ("SecRule ARGS \"x\" \"setvar:tx.gp_mode=D\"", "refused-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.inbound_anomaly_score_threshold=999\"", "refused-setvar"),
    ("SecRule ARGS \"x\" \"setvar:ip.x=1\"", "refused-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_%{TX.0}=1\"", "refused-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.xss_score=0\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.xss_score=-5\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_a\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:!tx.custom_a\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_a=%{ENV.x}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_a=1234567890\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_a=-1234567890\"", "invalid-setvar"),
    // an own name may be negative, a score added to itself overflows
    ("SecRule ARGS \"x\" \"setvar:tx.inbound_anomaly_score_pl1=+%{tx.custom_x}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.inbound_anomaly_score_pl1=+%{TX.Custom_X}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.xss_score=+%{tx.xss_score}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.xss_score=+%{tx.lfi_score}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.xss_score=%{tx.critical_anomaly_score}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.xss_score=-%{tx.critical_anomaly_score}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.xss_score=+-5\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.xss_score=+10000\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.xss_score=+\"", "invalid-setvar"),
];

#[test]
fn each_with_its_code() {
    for (given, code) in TABLE {
        let problems = refuse(given);
        assert!(codes(&problems).contains(code), "{given}\n{problems:#?}");
    }
}

/// What would tell a probe from a request, or steers the policy: `(given, code)`.
const SECRET: &[(&str, &str)] = &[
    ("SecRule UNIQUE_ID \"x\"", "refused-variable"),
    ("SecRule unique_id \"x\"", "refused-variable"),
    ("SecRule ARGS|UNIQUE_ID \"x\"", "refused-variable"),
    ("SecRule TX \"x\"", "refused-variable"),
    ("SecRule &TX \"@gt 20\"", "refused-variable"),
    ("SecRule TX:/^gp/ \"x\"", "refused-variable"),
    ("SecRule TX:/./ \"x\"", "refused-variable"),
    ("SecRule &TX:/^gp/ \"x\"", "refused-variable"),
    ("SecRule TX:custom_a|!TX:/a/ \"x\"", "refused-variable"),
    ("SecRule TX:gp_probe \"@streq P\"", "refused-variable"),
    ("SecRule tx:GP_Probe \"@streq P\"", "refused-variable"),
    ("SecRule &TX:gp_plain \"@eq 1\"", "refused-variable"),
    ("SecRule TX:gp_mode \"@streq D\"", "refused-variable"),
    ("SecRule TX:inbound_anomaly_score_threshold \"@eq 5\"", "refused-variable"),
    // what a rule of ours has captured of the id stays there
    ("SecRule TX:7 \"@streq P\"", "refused-variable"),
    ("SecRule TX:0 \"x\"", "refused-variable"),
    ("SecRule ARGS|TX:1 \"@rx (a)\" \"capture\"", "refused-variable"),
    ("SecRule ARGS \"@rx (a)\" \"chain\"\nSecRule TX:1 \"x\"", "refused-variable"),
    ("SecRule ARGS \"@rx (a)\" \"capture,chain\"\nSecRule TX:2 \"x\"", "refused-variable"),
    ("SecRule ARGS \"@rx (?:a)[(](?i)(?s:b)\\(\" \"capture,chain\"\nSecRule TX:1 \"x\"", "refused-variable"),
    ("SecRule ARGS \"!@rx (a)\" \"capture,chain\"\nSecRule TX:1 \"x\"", "refused-variable"),
    ("SecRule ARGS \"@rx ^a$\" \"capture,chain\"\nSecRule TX:0 \"x\"", "refused-variable"),
    ("SecRule ARGS \"@rx (^a$)\" \"capture,chain\"\nSecRule TX:1 \"x\"", "refused-variable"),
    ("SecRule ARGS \"@pm a b\" \"capture,chain\"\nSecRule TX:1 \"x\"", "refused-variable"),
    ("SecRule ARGS \"@streq a\" \"capture,chain\"\nSecRule TX:0 \"x\"", "refused-variable"),
    ("SecRule ARGS \"@rx (1)(2)(3)(4)(5)(6)(7)(8)(9)\" \"capture,chain\"\nSecRule TX:9 \"x\"", "refused-variable"),
    ("SecRule MATCHED_VAR \"x\"", "refused-variable"),
    ("SecRule ARGS|matched_var_name \"x\"", "refused-variable"),
    ("SecRule RULE:id \"x\"", "refused-variable"),
    ("SecRule ARGS \"@streq %{unique_id}\"", "refused-macro"),
    ("SecRule ARGS \"@eq %{UNIQUE_ID}\"", "refused-macro"),
    ("SecRule ARGS \"@streq %{TX}\"", "refused-macro"),
    ("SecRule ARGS \"@within a%{tx.gp_probe}\"", "refused-macro"),
    ("SecRule ARGS \"@contains %{Tx.GP_PROBE}\"", "refused-macro"),
    ("SecRule ARGS \"@streq %{tx.7}\"", "refused-macro"),
    ("SecRule ARGS \"@rx (a)\" \"capture,chain\"\nSecRule ARGS \"@streq %{tx.7}\"", "refused-macro"),
    ("SecRule ARGS \"@streq %{tx.0.a}\"", "refused-macro"),
    ("SecRule ARGS \"@streq %{matched_var}\"", "refused-macro"),
    ("SecRule ARGS \"x\" \"msg:'%{unique_id}'\"", "refused-macro"),
    ("SecRule ARGS \"x\" \"logdata:'%{tx.gp_probe}'\"", "refused-macro"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_a=%{tx.gp_probe}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_a=%{tx.7}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_a=%{unique_id}\"", "invalid-setvar"),
    // the environment of the agent, wherever Coraza expands a macro
    ("SecRule ARGS \"@streq %{env.path}\"", "refused-macro"),
    ("SecRule ARGS \"@contains a%{Env.Path}b\"", "refused-macro"),
    ("SecRule ARGS \"@gt %{eNV.x}\"", "refused-macro"),
    ("SecRule ARGS \"@streq %{ENV}\"", "refused-macro"),
    ("SecRule ARGS \"@streq %{tx.a%{env.path}\"", "malformed-macro"),
    ("SecRule ARGS \"x\" \"msg:'%{env.path}'\"", "refused-macro"),
    ("SecRule ARGS \"x\" \"logdata:'%{ENV.path}'\"", "refused-macro"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_a=+%{env.path}\"", "invalid-setvar"),
    ("SecRule ARGS \"x\" \"setvar:tx.custom_%{env.path}=1\"", "refused-setvar"),
    ("SecRule env:PATH \"x\"", "refused-variable"),
];

#[test]
fn what_is_not_of_the_request_is_not_readable() {
    for (given, code) in SECRET {
        let problems = refuse(given);
        assert!(codes(&problems).contains(code), "{given}\n{problems:#?}");
    }
}

#[test]
fn transformations_are_few() {
    let rule = |list: &[&str]| format!("SecRule ARGS \"x\" \"{}\"", list.join(","));
    let link = |list: &[&str]| format!("SecRule ARGS \"x\" \"{},chain\"", list.join(","));
    let grow = ["t:hexEncode", "t:URLENCODE", "t:utf8toUnicode"];
    for given in [
        rule(&["t:trim"; 9]),
        rule(&grow),
        rule(&["t:base64Encode"; 3]),
        format!("{}\n{}", link(&grow[..2]), rule(&["t:base64Encode"])),
        format!("{}\n{}\n{}", link(&grow[..1]), link(&grow[..1]), rule(&grow[..1])),
    ] {
        assert_eq!(codes(&refuse(&given)), ["too-many-transformations"], "{given}");
    }
}

#[test]
fn expensive_expressions() {
    for pattern in [
        "(?:a{1,1000}){1,1000}",
        "(?:a{50}){50}",
        "((a{13}){13}){13}",
        "(?:[a-z]{1,40}){60,}",
        "(?:a|b|c|d){600}",
        "(?:){1000}(?:){1000}(?:){1000}",
        "(?i)(?:x{100}){100}",
        "\\Q[\\E(?:a{100}){100}",
        "[[:alpha:][](?:a{100}){100}",
        "[]](?:a{100}){100}",
        "[^]](?:a{100}){100}",
        "[\\]](?:a{100}){100}",
        "(?P<n>a{100}){100}",
        "(?:a{100}){100",
        "(?:(?:a{100}){100}",
        "(?:\\x{263a}{100}){100}",
        "(?:((((((((((a{9}){9}){9}){9}){9}){9}){9}){9}){9}){9}){1000}){1000}",
    ] {
        let given = format!("SecRule ARGS \"@rx {pattern}\"");
        match pattern {
            // not closed, so not a count
            "(?:a{100}){100" => drop(accept(&given)),
            _ => assert!(codes(&refuse(&given)).contains(&"too-expensive"), "{pattern}"),
        }
    }
    assert_eq!(codes(&refuse("SecRule ARGS:/(?:a{100}){100}/ \"x\"")), ["too-expensive"]);
    assert_eq!(codes(&refuse(&format!("SecRule ARGS \"@rx {}\"", "x".repeat(2001)))), ["too-expensive"]);
}

#[test]
fn bounds() {
    let long = format!("SecRule ARGS \"{}\"", "x".repeat(16 * 1024));
    assert_eq!(codes(&refuse(&long)), ["text-too-long"]);
    let message = format!("SecAction \"msg:'{}'\"", "x".repeat(513));
    assert_eq!(codes(&refuse(&message)), ["value-too-long"]);
    let link = "SecRule ARGS \"x\" \"chain\"\n";
    accept(&format!("{}SecRule ARGS \"x\"", link.repeat(9)));
    let chain = format!("{}SecRule ARGS \"x\"", link.repeat(10));
    assert_eq!(codes(&refuse(&chain)), ["chain-too-long"]);
    let text = "SecRule ARGS \"x\"";
    for id in [189_999, 200_000] {
        assert_eq!(codes(&parse_custom_rule(id, text).unwrap_err()), ["id-out-of-range"]);
    }
    assert!(parse_custom_rule(199_999, text).is_ok());
}

#[test]
fn many_problems_each_in_its_place() {
    let text = "# é\nSecRule ARGZ|ENV \\\n  \"@pmm é\" \"phase:4,\\\n  t:md6\"";
    let problems = refuse(text);
    let told: Vec<_> = problems.iter().map(|p| (p.code, p.span.line, p.span.column, &text[p.span.start..p.span.end])).collect();
    assert_eq!(
        told,
        [
            ("unknown-variable", 2, 9, "ARGZ"),
            ("refused-variable", 2, 14, "ENV"),
            ("unknown-operator", 3, 5, "pmm"),
            ("refused-phase", 3, 19, "4"),
            ("unknown-transformation", 4, 5, "md6"),
        ]
    );
    assert_eq!(problems[0].hint.as_deref(), Some("Did you mean `ARGS`?"));
}
