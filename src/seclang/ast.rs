//! The syntax tree of a custom rule. It can only be made by [`super::parse_custom_rule`], so that
//! every value in it has passed the allow-lists; [`super::emit`] relies on that.

use super::problem::Problem;

/// A checked custom rule.
///
/// Equality is equality of meaning: `findings` (which carry places in a text) do not count.
#[derive(Debug, Clone)]
pub struct CustomRule {
    /// 190000 to 199999.
    pub id: u32,
    /// The rule and its chain: 1 to [`super::MAX_LINKS`].
    pub links: Vec<Rule>,
    /// Where a `redirect` leads; the data plane redirects to known targets only.
    pub redirect_target: Option<String>,
    /// 1 or 2.
    pub phase: u8,
    /// What the operator should know though the rule is accepted.
    pub findings: Vec<Problem>,
}

impl PartialEq for CustomRule {
    fn eq(&self, other: &Self) -> bool {
        (self.id, self.phase, &self.links, &self.redirect_target) == (other.id, other.phase, &other.links, &other.redirect_target)
    }
}

impl Eq for CustomRule {}

impl CustomRule {
    /// What the rule does to a request that matches.
    pub fn disruptive(&self) -> &Disruptive {
        match self.links.first().and_then(|link| link.head.as_ref()) {
            Some(head) => &head.disruptive,
            None => &Disruptive::Pass,
        }
    }

    /// The message of the rule as written, macros unexpanded: the first one set in the chain.
    pub fn message(&self) -> Option<&str> {
        self.links.iter().find_map(|link| link.msg.as_deref())
    }
}

/// One link of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    pub(super) kind: LinkKind,
    /// Of the first link only.
    pub(super) head: Option<Head>,
    /// Coraza's spelling; what stands before the last `t:none` is gone.
    pub(super) transformations: Vec<&'static str>,
    pub(super) capture: bool,
    pub(super) multi_match: bool,
    pub(super) msg: Option<String>,
    pub(super) logdata: Option<String>,
    /// `(name without tx., value)`.
    pub(super) setvars: Vec<(String, String)>,
}

impl Rule {
    /// What the link looks at; `None` of it for a `SecAction`.
    pub fn kind(&self) -> &LinkKind {
        &self.kind
    }
}

/// `SecRule` or `SecAction`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkKind {
    Match { targets: Vec<Target>, operator: Operator },
    Always,
}

/// What only the first link may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub disruptive: Disruptive,
    pub log: bool,
    pub audit: bool,
    pub tags: Vec<String>,
    /// 0 (EMERGENCY) to 7 (DEBUG).
    pub severity: Option<u8>,
    pub rev: Option<String>,
    pub ver: Option<String>,
    /// 1 to 9.
    pub maturity: Option<u8>,
    /// 1 to 9.
    pub accuracy: Option<u8>,
}

/// What happens to a request that matches. Any verdict but allow is a denial in HAProxy
/// (data-plane 9.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disruptive {
    Pass,
    /// Resolved by the rule set's `SecDefaultAction`: `pass` in the Core Rule Set's anomaly mode.
    Block,
    /// With the status.
    Deny(u16),
    Drop,
    /// With the target; the status is 302.
    Redirect(String),
}

/// `NAME`, `NAME:selector`, `&NAME…` or `!NAME:selector`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) mode: TargetMode,
    pub(super) name: &'static str,
    pub(super) selector: Option<Selector>,
}

impl Target {
    pub fn mode(&self) -> TargetMode {
        self.mode
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    pub fn selector(&self) -> Option<&Selector> {
        self.selector.as_ref()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetMode {
    Value,
    Count,
    Exclude,
}

/// What stands behind the colon of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    Name(String),
    /// Without its slashes, in lower case, in a `(?:…)` of its own.
    Regex(String),
}

/// `@name argument` or `!@name argument`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    pub(super) negated: bool,
    pub(super) name: &'static str,
    pub(super) argument: String,
}

impl Operator {
    pub fn negated(&self) -> bool {
        self.negated
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// As the engine sees it: quotes unescaped, outer blanks gone.
    pub fn argument(&self) -> &str {
        &self.argument
    }
}
