//! Which role may do what, as data: what `service::authorize` decides by, what `GET /api/v1/roles` shows, and what `docs/roles.md` is made of.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::grant::Role;
use super::{Action, Kind};

/// The least role for each action; None: nobody does that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub subject: Subject,
    /// Whether a role that is limited to some vhosts has it too, for what these vhosts are about.
    pub scoped: bool,
    pub read: Option<Role>,
    pub create: Option<Role>,
    pub update: Option<Role>,
    pub delete: Option<Role>,
    pub about: &'static str,
}

impl Row {
    pub fn least(&self, action: Action) -> Option<Role> {
        match action {
            Action::Read => self.read,
            Action::Create => self.create,
            Action::Update => self.update,
            Action::Delete => self.delete,
        }
    }
}

macro_rules! role {
    (none) => {
        None
    };
    ($role:ident) => {
        Some(Role::$role)
    };
}

macro_rules! matrix {
    ($($variant:ident $text:literal $reach:ident $read:ident $create:ident $update:ident $delete:ident $about:literal,)*) => {
        /// What an action is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Subject {
            $(#[doc = $about] $variant,)*
        }

        impl Subject {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        /// See the module; in the order of [`Subject`].
        pub const MATRIX: &[Row] = &[$(Row {
            subject: Subject::$variant,
            scoped: matrix!(@$reach),
            read: role!($read),
            create: role!($create),
            update: role!($update),
            delete: role!($delete),
            about: $about,
        },)*];
    };
    (@scoped) => { true };
    (@global) => { false };
}

matrix! {
    // subject          reach  read   create   update   delete
    Vhost "vhost"             scoped Viewer Editor   Editor   Editor   "Vhosts, but for their servers and paths.",
    Policy "policy"           scoped Viewer Editor   Editor   Editor   "Policies, but for their exclusions and custom rules.",
    IpList "ip_list"          scoped Viewer Editor   Editor   Editor   "IP lists, but for their entries.",
    Exclusion "exclusion"     scoped Viewer Editor   Editor   Editor   "Exclusions of policies.",
    CustomRule "custom_rule"  scoped Viewer Editor   Editor   Editor   "Custom rules of policies.",
    Server "server"           scoped Viewer Editor   Editor   Editor   "Servers of vhosts.",
    Path "path"               scoped Viewer Editor   Editor   Editor   "Paths of vhosts.",
    Entry "entry"             scoped Viewer Operator Operator Operator "Entries of IP lists.",
    ChangeSet "change_set"    scoped Viewer Editor   Editor   Editor   "One's own change sets; to update one is to stage, rebase and commit.",
    Approval "approval"       scoped Editor none     Editor   none     "Change sets of others that await approval; by people alone, and of nothing that they had a part in.",
    Plan "plan"               scoped Viewer Operator none     none     "Plans of change sets and rollbacks.",
    Revision "revision"       scoped Viewer none     Operator none     "Revisions and their diffs; to update is to go back to one.",
    ModeOverride "mode_override" scoped Viewer none Operator Operator "Emergency modes of vhosts; also of protected ones.",
    File "file"               global Viewer none     none     none     "Rendered files and plans of revisions: they show all sites.",
    Deployment "deployment"   scoped Viewer none     none     none     "Deployments.",
    Status "status"           scoped Viewer none     none     none     "What is live, and what has been seen to be.",
    Stream "stream"           scoped Viewer none     none     none     "Events.",
    Metrics "metrics"         global Viewer none     none     none     "Metrics.",
    Role "role"               scoped Viewer none     none     none     "This table.",
    Token "token"             global Admin  Admin    none     Admin    "Tokens for pipelines.",
    User "user"               global Admin  Admin    Admin    Admin    "People.",
    Session "session"         global Admin  none     none     Admin    "Sessions of others; everybody has their own.",
    Audit "audit"             scoped Admin  none     none     none     "The audit log; to verify its chain wants the role everywhere.",
    Setting "setting"         global Admin  none     Admin    none     "Settings.",
}

impl Subject {
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|subject| subject.as_str() == text)
    }

    pub fn row(self) -> &'static Row {
        &MATRIX[self as usize]
    }

    /// What may be written of an object of a kind: itself, and what is in it.
    pub fn parts(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Vhost => &[Self::Vhost, Self::Server, Self::Path],
            Kind::Policy => &[Self::Policy, Self::Exclusion, Self::CustomRule],
            Kind::IpList => &[Self::IpList, Self::Entry],
        }
    }
}

impl From<Kind> for Subject {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Vhost => Self::Vhost,
            Kind::Policy => Self::Policy,
            Kind::IpList => Self::IpList,
        }
    }
}

impl Role {
    pub fn may(self, action: Action, subject: Subject) -> bool {
        subject.row().least(action).is_some_and(|least| self >= least)
    }
}

/// `docs/roles.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Roles\n\nGenerated from `src/domain/permission.rs` by `make docs`; do not edit. Each cell is the least role: viewer < operator < editor < \
         admin. `GET /api/v1/roles` answers the same table. What a role limited to some vhosts sees and writes is in [security.md](security.md).\n\n\
         | subject | read | create | update | delete | with a scope | |\n| --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for row in MATRIX {
        let cell = |role: Option<Role>| role.map_or("", Role::as_str);
        let reach = if row.scoped { "yes" } else { "no" };
        let (read, create, update, delete) = (cell(row.read), cell(row.create), cell(row.update), cell(row.delete));
        out.push_str(&format!("| `{}` | {read} | {create} | {update} | {delete} | {reach} | {} |\n", row.subject.as_str(), row.about));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_in_order_and_subjects_are_written_as_they_are_read() {
        for (index, row) in MATRIX.iter().enumerate() {
            assert_eq!(row.subject as usize, index);
            assert_eq!(Subject::parse(row.subject.as_str()), Some(row.subject));
            assert_eq!(serde_json::to_value(row.subject).unwrap(), row.subject.as_str());
        }
        assert_eq!(Subject::parse("nothing"), None);
    }

    #[test]
    fn each_role_includes_the_ones_before_it() {
        for pair in Role::ALL.windows(2) {
            for row in MATRIX {
                for action in Action::ALL {
                    assert!(!pair[0].may(action, row.subject) || pair[1].may(action, row.subject));
                }
            }
        }
        assert!(!Role::Viewer.may(Action::Update, Subject::Entry) && Role::Operator.may(Action::Update, Subject::Entry));
        assert!(!Role::Operator.may(Action::Update, Subject::Policy) && Role::Editor.may(Action::Update, Subject::Policy));
        assert!(!Role::Editor.may(Action::Read, Subject::Token) && Role::Admin.may(Action::Create, Subject::Token));
        assert!(!Role::Admin.may(Action::Delete, Subject::Revision), "nobody does that");
    }

    /// `UPDATE=1 cargo test domain::permission` (`make docs`) writes it.
    #[test]
    fn the_document_is_in_step() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/roles.md");
        if std::env::var_os("UPDATE").is_some() {
            fs_err::write(&path, markdown()).unwrap();
        }
        let committed = fs_err::read_to_string(&path).unwrap_or_default();
        assert!(committed == markdown(), "docs/roles.md is out of step with the matrix: run `make docs`");
    }
}
