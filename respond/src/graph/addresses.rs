//! Whose an address is.
//!
//! Protocol: Microsoft Graph v1.0, `users` filtered by `mail` and by `proxyAddresses`.

use super::{GraphDirectory, USER_FIELDS, user_of};
use crate::directory::{DirectoryError, User};

impl GraphDirectory {
    /// The accounts that have this mail address, as the first one or as another.
    pub(super) async fn accounts_with(&self, address: &str) -> Result<Vec<User>, DirectoryError> {
        let quoted = address.replace('\'', "''");
        let mut found: Vec<User> = Vec::new();
        for filter in [
            format!("mail eq '{quoted}'"),
            format!("proxyAddresses/any(address:address eq 'smtp:{quoted}')"),
        ] {
            let mut url = self.url(&["users"])?;
            url.query_pairs_mut()
                .append_pair("$filter", &filter)
                .append_pair("$select", USER_FIELDS);
            for entry in self.list(url).await? {
                let user = user_of(&entry)?;
                if !found.contains(&user) {
                    found.push(user);
                }
            }
        }
        Ok(found)
    }
}
