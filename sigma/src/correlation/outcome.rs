//! What a correlation found, and how that differs from what it found before.

use std::sync::Arc;

use super::evaluate::{EVIDENCE_MAX, Outcome};
use super::signal::{Evidence, Signal, Subject};

/// An outcome with the correlation and the group that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Hash of tenant, correlation, group and window.
    pub id: String,
    /// Id of the correlation.
    pub correlation: Arc<str>,
    /// The tenant.
    pub tenant_id: Arc<str>,
    /// Names and values of what tells the group, in the order of the correlation.
    pub group: Vec<(Arc<str>, Arc<str>)>,
    /// True if signals come in the order of the rules, so that the last one tells whom it is about.
    pub is_ordered: bool,
    /// True if it is about the last of its records, which tells more than the group.
    pub is_of_records: bool,
    /// What was found.
    pub outcome: Outcome,
}

/// How an outcome differs from what was told before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It was not told before.
    Raised,
    /// It is told again, with other words.
    Amended,
    /// It does not hold any more: something came that was missing.
    Withdrawn,
}

impl Kind {
    /// The state of its alert.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Amended => "amended",
            Self::Withdrawn => "withdrawn",
        }
    }
}

/// A change of what is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// How it differs.
    pub kind: Kind,
    /// What was told before, if anything.
    pub before: Option<Found>,
    /// What is told now; of a withdrawal what was told last.
    pub found: Found,
}

impl Found {
    /// The group as JSON, one text for each group.
    pub fn group_key(&self) -> String {
        key_text(&self.group)
    }

    /// When the first of its events was accepted, in microseconds since the Unix epoch, UTC.
    pub fn accepted_time_us(&self) -> i64 {
        let signals = self.outcome.signals.iter();
        signals
            .map(|signal| signal.accepted_time_us)
            .min()
            .unwrap_or(0)
    }

    /// Its records, each once, at most [`EVIDENCE_MAX`].
    pub fn evidence(&self) -> Vec<Evidence> {
        let mut all: Vec<Evidence> = Vec::new();
        let records = self
            .outcome
            .signals
            .iter()
            .flat_map(|signal| &signal.evidence);
        for record in records {
            let is_known =
                |known: &Evidence| known.table == record.table && known.event_id == record.event_id;
            if all.len() < EVIDENCE_MAX && !all.iter().any(is_known) {
                all.push(record.clone());
            }
        }
        all
    }

    /// Who and what it is about.
    ///
    /// Name and object id are those of one signal, the one that says most: a name of one record with an id of
    /// another would be an account that no record names. Where the signals are about several accounts and come in an
    /// order, all of it is what the last one says: there the attacker arrived.
    pub fn subject(&self) -> Subject {
        let signals = &self.outcome.signals;
        let said_most = signals
            .iter()
            .map(|signal| &signal.subject)
            .max_by_key(|subject| subject.account_parts());
        let Some(account) = said_most else {
            return Subject::default();
        };
        let is_of_one = signals
            .iter()
            .all(|signal| signal.subject.may_be_about_the_account_of(account));
        if !is_of_one && self.is_ordered {
            let last = signals.last().map(|signal| signal.subject.clone());
            return last.unwrap_or_default();
        }
        let (user, user_id) = if is_of_one {
            (Arc::clone(&account.user), Arc::clone(&account.user_id))
        } else {
            Default::default()
        };
        Subject {
            user,
            user_id,
            ip: self.shared(|subject| &subject.ip),
            session_id: self.shared(|subject| &subject.session_id),
        }
    }

    /// What all signals say that say anything; where they differ and come in an order, what the last one says.
    fn shared(&self, part: fn(&Subject) -> &Arc<str>) -> Arc<str> {
        let signals = &self.outcome.signals;
        let mut said = signals
            .iter()
            .map(|signal| part(&signal.subject))
            .filter(|text| !text.is_empty());
        let Some(first) = said.next() else {
            return Arc::default();
        };
        if said.all(|other| other.to_lowercase() == first.to_lowercase()) {
            return Arc::clone(first);
        }
        match signals.last() {
            Some(last) if self.is_ordered => Arc::clone(part(&last.subject)),
            _ => Arc::default(),
        }
    }

    /// What a correlation sees that refers to this one: a signal at the time at which it first held.
    pub(super) fn as_signal(&self) -> Signal {
        let mut fields = self.group.clone();
        if let (true, Some(last)) = (self.is_of_records, self.outcome.signals.last()) {
            fields.extend(last.fields.iter().cloned());
        }
        Signal {
            id: u128::from_str_radix(&self.id, 16).unwrap_or_default(),
            tenant_id: Arc::clone(&self.tenant_id),
            rule_id: Arc::clone(&self.correlation),
            time_us: self.outcome.fired_us,
            accepted_time_us: self.accepted_time_us(),
            fields: fields.into(),
            subject: self.subject(),
            evidence: self.evidence().into(),
            provenance: self.outcome.provenance,
        }
    }
}

/// Names and values as a JSON object, in their order.
pub(super) fn key_text(group: &[(Arc<str>, Arc<str>)]) -> String {
    let mut text = String::from("{");
    for (name, value) in group {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(&**name).to_string());
        text.push(':');
        text.push_str(&serde_json::Value::from(&**value).to_string());
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Found;
    use crate::correlation::evaluate::Outcome;
    use crate::correlation::{Signal, Subject};
    use schemas::provenance::Provenance;

    /// Name, object id, address and session of a signal or of what was found.
    type Told = [&'static str; 4];

    #[track_caller]
    fn check(is_ordered: bool, signals: &[Told], expected: Told) {
        let subject = |[user, user_id, ip, session_id]: Told| Subject {
            user: user.into(),
            user_id: user_id.into(),
            ip: ip.into(),
            session_id: session_id.into(),
        };
        let signals = signals.iter().map(|told| {
            Arc::new(Signal {
                id: 1,
                tenant_id: "t".into(),
                rule_id: "r".into(),
                time_us: 0,
                accepted_time_us: 0,
                fields: Box::default(),
                subject: subject(*told),
                evidence: Box::default(),
                provenance: Provenance::Live,
            })
        });
        let found = Found {
            id: String::new(),
            correlation: "c".into(),
            tenant_id: "t".into(),
            group: Vec::new(),
            is_ordered,
            is_of_records: false,
            outcome: Outcome {
                window_us: 0,
                fired_us: 0,
                first_us: 0,
                last_us: 0,
                count: 0,
                value: None,
                provenance: Provenance::Live,
                signals: signals.collect(),
            },
        };
        assert_eq!(found.subject(), subject(expected));
    }

    #[test]
    fn a_name_of_one_record_is_never_told_with_an_id_of_another() {
        // A failed sign-in as the director, and then a rule in the mailbox of somebody else, from one address.
        let (director, clerk) = (["cfo@b", "id-cfo", "ip", "s1"], ["clerk@b", "", "ip", ""]);
        check(true, &[director, clerk], clerk);
        check(true, &[clerk, director], director);
        check(false, &[director, clerk], ["", "", "ip", "s1"]);
        // Nobody says that the name and the id are of one account.
        let (by_name, by_id) = (["a@b", "", "ip", ""], ["", "id-x", "ip", ""]);
        check(true, &[by_name, by_id], by_id);
        check(false, &[by_name, by_id], ["", "", "ip", ""]);
    }

    #[test]
    fn signals_about_one_account_tell_it_whole() {
        let (whole, by_name, by_id, silent) = (
            ["A@b", "id", "ip1", "s"],
            ["a@b", "", "ip2", ""],
            ["", "id", "", ""],
            ["", "", "ip1", ""],
        );
        for order in [
            [whole, by_name, by_id, silent],
            [silent, by_id, by_name, whole],
        ] {
            check(false, &order, ["A@b", "id", "", "s"]);
        }
        check(true, &[whole, by_id, by_name], ["A@b", "id", "ip2", "s"]);
        check(false, &[], ["", "", "", ""]);
    }
}
