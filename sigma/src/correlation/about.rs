//! Whom an outcome is about: a function of the signals of its window, whatever the order of their arrival.
//!
//! An outcome is named by its account too, so an alert never passes from one account to another: another account is
//! another alert. Where signals come in an order the last one decides, and each account that has one is told apart:
//! an address that tried everybody and found three passwords has three victims.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::definition::{CorrelationTest, Definition};
use super::point::Point;
use super::signal::Subject;

/// Stands between the names of an account.
const BETWEEN: &str = "\u{1f}";

/// Points that are evaluated by themselves, in order.
pub(super) type PointsOfAccount<'a> = Cow<'a, [Point]>;

/// The points of a group, apart by the account of whom the deciding signal is.
///
/// Each part has every signal that decides nothing. Where nothing decides more than another, or all that decides is
/// about one account, the group is one part.
pub(super) fn by_account<'a>(
    definition: &Definition,
    points: &'a [Point],
) -> Vec<PointsOfAccount<'a>> {
    let whole = || vec![Cow::Borrowed(points)];
    let Some(decisive) = decisive(definition) else {
        return whole();
    };
    let mut accounts: BTreeMap<String, Vec<&'a Point>> = BTreeMap::new();
    for point in points.iter().filter(|point| point.member == decisive) {
        let account = point.signal.subject.account();
        accounts.entry(account).or_default().push(point);
    }
    let begins = points.iter().any(|point| point.member == 0);
    if accounts.len() < 2 || !begins {
        return whole();
    }
    let others = || points.iter().filter(|point| point.member != decisive);
    let part = |own: Vec<&'a Point>| -> PointsOfAccount<'a> {
        let mut part: Vec<Point> = own.into_iter().chain(others()).cloned().collect();
        part.sort_by_key(Point::order);
        Cow::Owned(part)
    };
    accounts.into_values().map(part).collect()
}

/// Who and what the signals of a window are about, and a text that is another one wherever the account is; the signals
/// are not empty and in order.
///
/// Name and object id are never of two accounts: a name of one record with an id of another would be an account that
/// no record names. Where the last one decides, it is about whom that one is about.
pub(super) fn subject(definition: &Definition, window: &[Point]) -> (Subject, Arc<str>) {
    let told: Vec<&Subject> = window.iter().map(|point| &point.signal.subject).collect();
    let last = decisive(definition).and_then(|decisive| {
        let mut decisive = window.iter().filter(|point| point.member == decisive);
        decisive.next_back().map(|point| &point.signal.subject)
    });
    let (user, user_id) = match last {
        Some(last) => account_as_decided(last, &told),
        None => account_of_all(&told),
    };
    let subject = Subject {
        user,
        user_id,
        ip: shared(&told, last, |subject| &subject.ip),
        session_id: shared(&told, last, |subject| &subject.session_id),
    };
    // What decides keeps parts apart, whatever others add to it.
    let decided = last.map(Subject::account).unwrap_or_default();
    let account = format!("{decided}{BETWEEN}{}", subject.account());
    (subject, account.into())
}

/// The member whose signals decide about whom it is.
fn decisive(definition: &Definition) -> Option<usize> {
    match definition.test {
        CorrelationTest::TemporalOrdered(_) => definition.members.len().checked_sub(1),
        _ => None,
    }
}

/// The account that the deciding signal names, whole if the others that name it tell the rest with one voice.
fn account_as_decided(last: &Subject, all: &[&Subject]) -> (Arc<str>, Arc<str>) {
    if last.account_parts() == 0 {
        return Default::default();
    }
    let same = || {
        let others = all.iter().copied();
        others.filter(|other| other.account_parts() > 0 && other.may_be_about_the_account_of(last))
    };
    let rest = |own: &Arc<str>, part: fn(&Subject) -> &Arc<str>| {
        if own.is_empty() {
            one(same().map(part))
        } else {
            Arc::clone(own)
        }
    };
    (
        rest(&last.user, |subject| &subject.user),
        rest(&last.user_id, |subject| &subject.user_id),
    )
}

/// The account that all signals are about which are about any; nobody if they may be about several.
fn account_of_all(all: &[&Subject]) -> (Arc<str>, Arc<str>) {
    let said_most = all.iter().max_by_key(|subject| subject.account_parts());
    match said_most {
        Some(account)
            if all
                .iter()
                .all(|other| other.may_be_about_the_account_of(account)) =>
        {
            (Arc::clone(&account.user), Arc::clone(&account.user_id))
        }
        _ => Default::default(),
    }
}

/// What all say that say anything; where they differ, what the deciding one says.
fn shared(all: &[&Subject], last: Option<&Subject>, part: fn(&Subject) -> &Arc<str>) -> Arc<str> {
    let same = one(all.iter().map(|subject| part(subject)));
    match last {
        Some(last) if same.is_empty() => Arc::clone(part(last)),
        _ => same,
    }
}

/// The only text among these, letter case of ASCII aside; empty if there are several or none.
fn one<'a>(texts: impl Iterator<Item = &'a Arc<str>>) -> Arc<str> {
    let mut texts = texts.filter(|text| !text.is_empty());
    let Some(first) = texts.next() else {
        return Arc::default();
    };
    if texts.all(|other| other.eq_ignore_ascii_case(first)) {
        Arc::clone(first)
    } else {
        Arc::default()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::definition::{Bounds, CorrelationTest, Definition, Member, Window};
    use super::super::point::{Point, PointValue};
    use super::super::signal::{Signal, Subject};
    use super::subject;
    use schemas::provenance::Provenance;

    /// Name, object id, address and session of a signal or of what was found.
    type Told = [&'static str; 4];

    fn of([user, user_id, ip, session_id]: Told) -> Subject {
        Subject {
            user: user.into(),
            user_id: user_id.into(),
            ip: ip.into(),
            session_id: session_id.into(),
        }
    }

    #[track_caller]
    fn check(is_ordered: bool, signals: &[Told], expected: Told) {
        let last = signals.len().saturating_sub(1);
        let points: Vec<Point> = signals
            .iter()
            .enumerate()
            .map(|(at, told)| Point {
                time_us: 0,
                member: usize::from(at == last),
                value: PointValue::None,
                signal: Arc::new(Signal {
                    id: 1,
                    tenant_id: "t".into(),
                    rule_id: "r".into(),
                    time_us: 0,
                    accepted_time_us: 0,
                    fields: Box::default(),
                    subject: of(*told),
                    evidence: Box::default(),
                    provenance: Provenance::Live,
                }),
            })
            .collect();
        let member = Member {
            id: "r".into(),
            group: Vec::new(),
            value: Vec::new(),
        };
        let definition = Definition {
            id: "c".into(),
            members: vec![member.clone(), member],
            group_by: Vec::new(),
            span_us: 1,
            window: Window::Sliding,
            test: if is_ordered {
                CorrelationTest::TemporalOrdered(None)
            } else {
                CorrelationTest::EventCount(Bounds::default())
            },
            address: None,
        };
        assert_eq!(subject(&definition, &points).0, of(expected));
    }

    #[test]
    fn a_name_of_one_record_is_never_told_with_an_id_of_another() {
        // A failed sign-in as the director, and then a rule in the mailbox of somebody else, from one address.
        let (director, clerk) = (["cfo@b", "id-cfo", "ip", "s1"], ["clerk@b", "", "ip", ""]);
        check(true, &[director, clerk], ["clerk@b", "", "ip", "s1"]);
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
        check(true, &[whole, by_id, by_name], ["a@b", "id", "ip2", "s"]);
    }

    #[test]
    fn what_decides_and_names_nobody_is_about_nobody() {
        // Somebody mistyped a password at the address from which nobody knows who signed in.
        let (mistyped, unknown) = (["ada@b", "id", "ip", "s1"], ["", "", "ip", "s2"]);
        check(true, &[mistyped, unknown], ["", "", "ip", "s2"]);
    }

    #[test]
    fn a_look_alike_is_somebody_else() {
        let (kelvin, own) = (["\u{212a}eller@b", "", "", ""], ["keller@b", "id", "", ""]);
        check(false, &[kelvin, own], ["", "", "", ""]);
        check(true, &[own, kelvin], kelvin);
    }
}
