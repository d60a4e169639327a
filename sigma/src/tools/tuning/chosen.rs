//! A field by which a filter may tell an event apart.

/// What a field says of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Who did it.
    Who,
    /// With what application or program.
    With,
    /// From where.
    Where,
    /// To what.
    Object,
    /// What it did.
    What,
}

impl Role {
    /// Every role, the ones that narrow best first.
    pub const ALL: &'static [Self] =
        &[Self::Who, Self::With, Self::Where, Self::Object, Self::What];

    /// True if all fields of the role name one thing: a user by name and by id is one user.
    pub(super) const fn is_one_thing(self) -> bool {
        matches!(self, Self::Who | Self::Where | Self::Object)
    }
}

/// A field of an event with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The field as rules name it.
    pub field: &'static str,
    /// What a person calls it.
    pub called: &'static str,
    /// What it says of the event.
    pub role: Role,
    /// Its value, as the event has it.
    pub value: String,
}
