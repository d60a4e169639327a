//! One file per action; the list is [`crate::action::Action`].

pub(crate) mod allow_sign_in;
pub(crate) mod block_sign_in;
pub(crate) mod disable_inbox_rules;
pub(crate) mod enable_inbox_rules;
pub(crate) mod inbox_rules;
pub(crate) mod revoke_sessions;
pub(crate) mod sign_in;
