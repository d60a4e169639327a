//! Who acted, and whom or what it was done to: a list of typed ids in the unified audit log.

use super::record::Record;

/// What a list of typed ids says of one actor or target.
///
/// Source: Office 365 Management Activity API schema, `IdentityTypeValuePair`: 0 claim, 1 name, 2 other, 3 PUID,
/// 4 SPN, 5 UPN. Under "other" Entra writes `User_{object id}`, the object id alone, and the kind of object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Identity<'a> {
    pub(super) kind: Option<&'a str>,
    pub(super) object_id: Option<&'a str>,
    pub(super) name: Option<&'a str>,
    pub(super) application_id: Option<&'a str>,
    pub(super) user_principal_name: Option<&'a str>,
}

impl<'a> Identity<'a> {
    /// What the list `Actor` or `Target` says.
    pub(super) fn of(record: Record<'a>, list: &str) -> Self {
        let mut identity = Self::default();
        for pair in record.objects(list) {
            if let (Some(id), Some(kind)) = (pair.text("ID"), pair.number("Type")) {
                identity.add(id, kind);
            }
        }
        identity
    }

    fn add(&mut self, id: &'a str, kind: i64) {
        match kind {
            1 => set(&mut self.name, id),
            0 | 2 if is_guid(id) => set(&mut self.object_id, id),
            2 => match id.split_once('_').filter(|(_, id)| is_guid(id)) {
                Some((kind, id)) => {
                    set(&mut self.kind, kind);
                    set(&mut self.object_id, id);
                }
                None => set(&mut self.kind, id),
            },
            4 if is_guid(id) => set(&mut self.application_id, id),
            5 => set(&mut self.user_principal_name, id),
            _ => {}
        }
    }

    /// True for an application that acts by itself.
    pub(super) fn is_application(&self) -> bool {
        self.kind
            .is_some_and(|kind| kind.eq_ignore_ascii_case("ServicePrincipal"))
            && self.user_principal_name.is_none()
    }
}

/// The first that comes counts: Entra writes the actor's or target's own before those of what it belongs to.
fn set<'a>(place: &mut Option<&'a str>, id: &'a str) {
    place.get_or_insert(id);
}

/// Whether a text is written as an object id.
pub(super) fn is_guid(text: &str) -> bool {
    let is_written = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    text.len() == 36 && text.bytes().enumerate().all(is_written)
}
