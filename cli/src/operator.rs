//! Who is at the keyboard, as far as the system knows: `--by` is what somebody says, this is what the system says.

use std::os::unix::fs::MetadataExt as _;

use respond::person::NoName;
use serde_json::{Value, json};

/// A person's name, for whoever reads the audit chain.
///
/// # Errors
/// If it names nobody.
pub(crate) fn person(text: &str) -> Result<String, NoName> {
    respond::person::parse(text).map(str::to_owned)
}

/// The number of the user of this process, or none if the system does not say.
pub(crate) fn own_uid() -> Option<u32> {
    // The folder of the own process belongs to whom it runs as.
    let own = std::fs::metadata("/proc/self").ok()?;
    Some(own.uid())
}

/// The user of this process: number and name.
pub(crate) fn os_user() -> Value {
    let Some(uid) = own_uid() else {
        return Value::Null;
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    json!({"uid": uid, "name": name_of(uid, &users)})
}

/// The name of a user in the text of `/etc/passwd`, or none.
fn name_of(uid: u32, users: &str) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::{name_of, os_user};

    #[test]
    fn a_name_belongs_to_its_number() {
        let users = "root:x:0:0::/root:/bin/sh\n\n:::\nkim:x:1000:1000::/home/kim:/bin/sh\n";
        assert_eq!(name_of(1000, users), Some("kim"));
        assert_eq!(name_of(7, users), None);
        assert!(os_user()["uid"].is_u64());
    }
}
