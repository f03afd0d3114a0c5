use super::*;

const HEAD: &str = "id:190001,phase:2,pass,t:none,log";

/// `(given, emitted)`.
fn table() -> Vec<(&'static str, String)> {
    vec![
        (
            r#"SecRule ARGS:debug "@streq 1" "phase:2,deny,status:403,msg:'debug switch'""#,
            r#"SecRule ARGS:debug "@streq 1" "id:190001,phase:2,deny,status:403,t:none,log,msg:'debug switch'""#.into(),
        ),
        ("secrule args x", String::new()),
        (
            "  # why\n\nsecRULE  args|ARGS_names:/^a|b$/ \\\n   \"foo\\\n  bar\"\\\n # inside\n  \"id:'190001', T:URLdecodeUNI, T:none , t:lowercase ,t:lowercase\"\n# end\n",
            format!(r#"SecRule ARGS|ARGS_NAMES:/(?:^a|b$)/ "@rx foobar" "{}""#, HEAD.replace("none", "none,t:lowercase,t:lowercase")),
        ),
        (r#"SecRule ARGS "!@rx ^\d+$""#, format!(r#"SecRule ARGS "!@rx ^\d+$" "{HEAD}""#)),
        (r#"SecRule ARGS "!^a b$" """#, format!(r#"SecRule ARGS "!@rx ^a b$" "{HEAD}""#)),
        (r#"SecRule ARGS:x "@streq a\"b'c""#, format!(r#"SecRule ARGS:x "@streq a\"b'c" "{HEAD}""#)),
        (r#"SecRule ARGS:x "@streq a\\\"b""#, format!(r#"SecRule ARGS:x "@streq a\\\"b" "{HEAD}""#)),
        (r#"SecRule ARGS:x "@streq a\ ""#, format!(r#"SecRule ARGS:x "@streq a\ " "{HEAD}""#)),
        (r#"SecRule ARGS:x "@streq a\\""#, format!(r#"SecRule ARGS:x "@streq a\\ " "{HEAD}""#)),
        (
            r#"SecRule REQUEST_HEADERS:/^X-[A-F]/ "@pm One""#,
            format!(r#"SecRule REQUEST_HEADERS:/(?:^x-[a-f])/ "@pm One One" "{HEAD}""#),
        ),
        (r#"SecRule ARGS "@pm  a  b ""#, format!(r#"SecRule ARGS "@pm a b" "{HEAD}""#)),
        (r#"SecRule &ARGS|!ARGS:'/^a/' "@gt -1""#, format!(r#"SecRule &ARGS|!ARGS:/(?:^a)/ "@gt -1" "{HEAD}""#)),
        (r#"SecRule ARGS|!ARGS:'/^a/' "@rx (?i)[[:alpha:]](?P<n>x)(?<m>y)[(?=]\\1""#, format!(r#"SecRule ARGS|!ARGS:/(?:^a)/ "@rx (?i)[[:alpha:]](?P<n>x)(?<m>y)[(?=]\\1" "{HEAD}""#)),
        (r#"SecRule &TX:custom_a "@eq %{tx.custom_b}""#, format!(r#"SecRule &TX:custom_a "@eq %{{tx.custom_b}}" "{HEAD}""#)),
        (r#"SecRule XML:/*|XML://@* "@detectXSS""#, format!(r#"SecRule XML:/*|XML://@* "@detectXSS" "{HEAD}""#)),
        (r#"SecRule REMOTE_ADDR "@ipMatch 192.0.2.0/24, 2001:db8::1""#, format!(r#"SecRule REMOTE_ADDR "@ipMatch 192.0.2.0/24,2001:db8::1" "{HEAD}""#)),
        (r#"SecRule ARGS "@validateByteRange 9,10, 32-126,7-7""#, format!(r#"SecRule ARGS "@validateByteRange 9,10,32-126,7" "{HEAD}""#)),
        (r#"SecRule REQUEST_FILENAME "@restpath /u/{id}/p.x""#, format!(r#"SecRule REQUEST_FILENAME "@restpath /u/{{id}}/p.x" "{HEAD}""#)),
        (
            r#"SecAction "phase:request,nolog,auditlog,setvar:TX.Custom_A=+%{TX.critical_anomaly_score},setvar:'tx.xss_score=+5'""#,
            "SecAction \"id:190001,phase:2,pass,t:none,nolog,auditlog,setvar:'tx.custom_a=+%{tx.critical_anomaly_score}',setvar:'tx.xss_score=+5'\"".into(),
        ),
        (
            r#"SecAction phase:1,redirect:https://example.org/a,b?c=d,status:302"#,
            String::new(),
        ),
        (
            r#"SecAction "redirect:'https://example.org/a,b?c=d#e'""#,
            "SecAction \"id:190001,phase:2,redirect:'https://example.org/a,b?c=d#e',status:302,t:none,log\"".into(),
        ),
        (
            r#"SecRule ARGS x "drop""#,
            String::new(),
        ),
        (
            "SecRule ARGS \"@rx (a)\" \"capture,multiMatch,log,noauditlog,drop,severity:2,tag:'x/y, z',tag:b,ver:'1.0',rev:2,maturity:3,accuracy:9,logdata:'%{TX.1} in %{MATCHED_VAR_NAME}',chain\"\nSecRule TX:1 \"@within b\" \"t:trim,setvar:tx.custom_n=1\"",
            "SecRule ARGS \"@rx (a)\" \"id:190001,phase:2,drop,t:none,capture,multiMatch,log,noauditlog,logdata:'%{TX.1} in %{MATCHED_VAR_NAME}',tag:'x/y, z',tag:'b',severity:'CRITICAL',rev:'2',ver:'1.0',maturity:3,accuracy:9,chain\"\nSecRule TX:1 \"@within b\" \"t:none,t:trim,setvar:'tx.custom_n=1'\"".into(),
        ),
    ]
}

#[test]
fn canonical_text() {
    // an empty second half: refused, and listed beside its accepted neighbour
    for (given, wanted) in table() {
        if wanted.is_empty() {
            refuse(given);
            continue;
        }
        let rule = accept(given);
        assert_eq!(rule.emit(), wanted, "{given}");
        assert_eq!(accept(&wanted), rule, "{given}");
    }
}

#[test]
fn what_a_rule_tells() {
    let rule = accept(r#"SecRule ARGS x:y "redirect:https://example.org/,phase:1,msg:hello""#.replace("x:y", "\"x\"").as_str());
    assert_eq!(rule.redirect_target.as_deref(), Some("https://example.org/"));
    assert_eq!((rule.id, rule.phase, rule.links.len()), (ID, 1, 1));
    assert_eq!(rule.message(), Some("hello"));
    assert!(rule.findings.is_empty(), "{:?}", rule.findings);
}

#[test]
fn every_listed_name_is_accepted() {
    use crate::seclang::allow::{self, Argument, Shape};
    for variable in allow::VARIABLES {
        let selector = match (variable.shape, variable.name) {
            (Shape::XPath, _) => ":/*",
            (_, "TX") => ":custom_a",
            _ => "",
        };
        accept(&format!("SecRule ARGS \"x\" \"chain\"\nSecRule {}{selector} \"x\"", variable.name));
        assert!(allow::refused_variable(variable.name).is_none());
    }
    for (name, kind) in allow::OPERATORS {
        let argument = match kind {
            Argument::None => "",
            Argument::Number => "1",
            Argument::Networks => "::1",
            Argument::Bytes => "0-255",
            Argument::Path => "/{a}",
            Argument::Regex | Argument::Words | Argument::Text => "x",
        };
        accept(&format!("SecRule ARGS \"@{name} {argument}\""));
        assert!(allow::refused_operator(name).is_none());
    }
    for name in allow::TRANSFORMATIONS {
        accept(&format!("SecRule ARGS x \"t:{name}\"").replace(" x ", " \"x\" "));
    }
    for status in allow::DENY_STATUSES {
        accept(&format!("SecAction \"deny,status:{status}\""));
    }
    for name in allow::SEVERITIES {
        accept(&format!("SecAction \"severity:'{name}'\""));
    }
}

#[test]
fn findings_do_not_refuse() {
    let found = |text: &str| codes(&accept(text).findings);
    assert_eq!(found(r#"SecRule ARGS "x" "deny,nolog,msg:a""#), ["deny-without-log"]);
    assert_eq!(found(r#"SecRule ARGS "x" "pass""#), ["no-message"]);
    assert_eq!(found(r#"SecRule ARGS "x" "block,msg:a""#), ["block-is-pass"]);
    assert_eq!(found(r#"SecRule REQUEST_BODY "x" "phase:1,msg:a""#), ["body-in-phase-1"]);
    assert_eq!(found(r#"SecAction "phase:1,msg:a,setvar:tx.lfi_score=+1""#), ["score-in-phase-1"]);
}

#[test]
fn scores_grow_by_digits_and_steps_and_own_names_by_more() {
    for value in [
        "xss_score=+9999",
        "rce_score=+%{tx.notice_anomaly_score}",
        "custom_a=-999999999",
        "custom_a=+%{tx.custom_b}",
        "custom_a=%{tx.xss_score}",
    ] {
        accept(&format!("SecAction \"setvar:tx.{value}\""));
    }
}

#[test]
fn a_chain_reads_what_it_has_filled() {
    for (first, then) in [
        ("@rx (a)(b)", "SecRule TX:2 \"@streq %{tx.1}\""),
        ("@rx a", "SecRule TX:0|&TX:0 \"x\""),
        ("@rx ^x=(a)$", "SecRule tx:'1' \"x\""),
        ("@rx (1)(2)(3)(4)(5)(6)(7)(8)(9)", "SecRule TX:8 \"x\""),
        ("@rx (?i)\\(((?:a))[(]", "SecRule TX:1 \"x\""),
        ("@pm a b", "SecRule TX:0 \"x\""),
        ("@detectSQLi", "SecRule TX:0 \"x\""),
        ("@streq a", "SecRule MATCHED_VAR|MATCHED_VARS|MATCHED_VAR_NAME \"@contains %{matched_var}\""),
        ("@rx (a)", "SecRule ARGS \"x\" \"chain\"\nSecRule TX:1 \"x\""),
    ] {
        accept(&format!("SecRule ARGS \"{first}\" \"capture,chain\"\n{then}"));
    }
    accept("SecRule TX:inbound_anomaly_score_pl1|TX:Custom_A|!TX:custom_b \"@gt %{tx.xss_score}\"");
    accept("SecRule ARGS \"@rx (a)\" \"capture,msg:'%{TX.1} %{MATCHED_VAR}'\"");
}

#[test]
fn eight_steps_and_two_that_grow() {
    accept(&format!("SecRule ARGS \"x\" \"{},t:none,{}\"", ["t:trim"; 8].join(","), ["t:trim"; 8].join(",")));
    accept("SecRule ARGS \"x\" \"t:hexEncode,t:urlEncode,chain\"\nSecRule ARGS \"x\" \"t:hexDecode,t:lowercase\"");
}

#[test]
fn ordinary_expressions_are_cheap() {
    for pattern in [
        "a{1000}",
        "(?:ab?){1,500}",
        "[[:alpha:]{9}]{900}",
        "\\x{263a}{900}",
        "\\p{Greek}{900}",
        "a{,5000}",
        "[a{9000}]",
        "a{5000b",
        "\\Qa{9000}\\E",
    ] {
        accept(&format!("SecRule ARGS \"@rx {pattern}\""));
    }
    accept(&format!("SecRule ARGS \"@rx {}\"", "x".repeat(2000)));
}
