//! Identity, deduplication, revision: what comes again, with the same content or another, at any time of any clock.
//!
//! A table in days, a memory of the identities of some days, a log that is read again from the table's position.
//! Records have a time of their own, none, or one that lies ahead of the clock; the clock steps in both directions.
//! Faults: the lake ends at any step, a commit fails, or is done and said to have failed, a day is let go of.

use std::collections::{BTreeMap, BTreeSet};

use schemas::invariants::{Invariant, RowsAdded};
use stateright::{Model, Property};

use crate::explore::{Breached, Faulty, holds, is_caught, never, weigh};

const FAULTS: u8 = 2;
const ARRIVALS: usize = 3;
const BATCH_MAX: usize = 2;
/// How far back, and after a step of the clock forward, a record without a time of its own is looked for.
const LOOK: u8 = 3;
/// How far ahead a time is believed.
const AHEAD_MAX: u8 = 0;
const LAST_DAY: u8 = 3;
const FIRST_DAY: u8 = 1;

/// The times that the records claim: one of the past, none, one ahead of the first day.
const CLAIMED: [Option<u8>; 3] = [Some(0), None, Some(2)];

/// A way in which the protocol is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// A day that was let go of counts as empty.
    ForgottenIsEmpty,
    /// What is about to be stored is remembered before it is.
    RememberedBeforeCommit,
    /// A known identity is a duplicate, whatever it says.
    ContentIgnored,
    /// What has no time is looked for on its day only.
    NoLookBack,
    /// What has no time is not looked for after its day.
    NoLookAhead,
    /// What has a time is not looked for where it came while that time lay ahead.
    OnceAheadForgotten,
    /// What lies ahead is not looked for under the day that it claims.
    ClaimForgotten,
    /// A revision has no identity of its own.
    RevisionUnnamed,
    /// An identity of which a revision is kept counts as stored, although its row may not be yet.
    SettledIsStored,
    /// After a failed commit the position of the table is not looked at.
    FailureBelieved,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Message {
    id: u8,
    content: u8,
    came: u8,
}

/// What memory holds of an identity under a day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Held {
    is_stored: bool,
    /// Of the stored row; none if it was read back without.
    content: Option<u8>,
    /// Others that nothing is left to do about.
    settled: BTreeSet<u8>,
}

impl Held {
    fn read_back() -> Self {
        Self {
            is_stored: true,
            ..Self::default()
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Sifted {
    /// Day and message.
    new: Vec<(u8, Message)>,
    revisions: Vec<(u8, Message)>,
    is_revised: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    log: Vec<Message>,
    /// Rows by day, id and content.
    rows: Vec<(u8, u8, u8)>,
    /// Id and content.
    revisions: Vec<(u8, u8)>,
    /// Position of the table.
    stands: usize,
    /// Where memory believes that it stands; none while the lake is down.
    seen: Option<usize>,
    batch: Vec<Message>,
    sifted: Option<Sifted>,
    memory: BTreeMap<u8, BTreeMap<u8, Held>>,
    faults_left: u8,
    breach: Option<Invariant>,
}

impl Breached for State {
    fn breach(&self) -> Option<Invariant> {
        self.breach
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Arrive(Message),
    Start,
    End,
    Take,
    Sift,
    CommitRevisions,
    Commit,
    /// Nothing became visible.
    CommitFails,
    /// It became visible, and the lake does not know.
    CommitSeemsToFail,
    LetGo {
        day: u8,
    },
}

struct Protocol {
    flaw: Flaw,
}

impl Protocol {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    /// The day under which a message is stored if it is new.
    fn home(message: Message) -> u8 {
        match CLAIMED[usize::from(message.id)] {
            Some(claimed) if claimed <= message.came + AHEAD_MAX => claimed,
            _ => message.came,
        }
    }

    /// The days under which it may be stored already.
    fn days(&self, message: Message) -> Vec<u8> {
        let back = message.came.saturating_sub(LOOK);
        let ahead = (message.came + LOOK).min(LAST_DAY);
        let mut days = vec![Self::home(message)];
        match CLAIMED[usize::from(message.id)] {
            None => {
                if !self.is(Flaw::NoLookBack) {
                    days.extend(back..message.came);
                }
                if !self.is(Flaw::NoLookAhead) {
                    days.extend(message.came + 1..=ahead);
                }
            }
            // It may have come while its time lay ahead, or may come so now.
            Some(claimed) if claimed <= message.came + AHEAD_MAX => {
                if !self.is(Flaw::OnceAheadForgotten) {
                    days.extend(back..claimed.saturating_sub(AHEAD_MAX));
                }
            }
            Some(claimed) => {
                days.extend((back..=ahead).filter(|day| *day != claimed));
                if !self.is(Flaw::ClaimForgotten) {
                    days.push(claimed);
                }
            }
        }
        days
    }

    fn load(&self, state: &mut State, day: u8) {
        let State { memory, rows, .. } = state;
        memory.entry(day).or_insert_with(|| {
            let of_day = rows.iter().filter(|(of, _, _)| *of == day);
            if self.is(Flaw::ForgottenIsEmpty) && state.seen.is_some_and(|seen| seen > 0) {
                return BTreeMap::new();
            }
            of_day.map(|(_, id, _)| (*id, Held::read_back())).collect()
        });
    }

    fn sift(&self, state: &mut State) {
        let mut sifted = Sifted::default();
        for message in state.batch.clone() {
            let days = self.days(message);
            for day in &days {
                self.load(state, *day);
            }
            let known = days
                .iter()
                .find(|day| {
                    state.memory[*day]
                        .get(&message.id)
                        .is_some_and(|held| held.is_stored)
                })
                .copied();
            if let Some(day) = known {
                self.sift_known(state, &mut sifted, day, message);
                continue;
            }
            let earlier = sifted
                .new
                .iter()
                .find(|(_, other)| other.id == message.id)
                .copied();
            match earlier {
                None => sifted.new.push((Self::home(message), message)),
                Some((_, other)) if other.content == message.content => {}
                Some((day, _)) if !self.is(Flaw::ContentIgnored) => {
                    sifted.revisions.push((day, message));
                }
                Some(_) => {}
            }
        }
        if self.is(Flaw::RememberedBeforeCommit) {
            Self::remember(state, &sifted);
        }
        state.sifted = Some(sifted);
    }

    fn sift_known(&self, state: &mut State, sifted: &mut Sifted, day: u8, message: Message) {
        let Message { id, content, .. } = message;
        let held = state.memory.entry(day).or_default().entry(id).or_default();
        if held.content == Some(content)
            || held.settled.contains(&content)
            || self.is(Flaw::ContentIgnored)
        {
            return;
        }
        // Compared with the stored row.
        if state.rows.contains(&(day, id, content)) {
            held.settled.insert(content);
        } else {
            sifted.revisions.push((day, message));
        }
    }

    fn remember(state: &mut State, sifted: &Sifted) {
        for (day, Message { id, content, .. }) in &sifted.new {
            if let Some(held) = state.memory.get_mut(day) {
                let held = held.entry(*id).or_default();
                (held.is_stored, held.content) = (true, Some(*content));
            }
        }
    }

    fn commit_revisions(&self, state: &mut State) {
        let Some(sifted) = &mut state.sifted else {
            return;
        };
        let mut new: Vec<(u8, u8)> = sifted
            .revisions
            .iter()
            .map(|(_, message)| (message.id, message.content))
            .collect();
        if !self.is(Flaw::RevisionUnnamed) {
            new.sort_unstable();
            new.dedup();
            new.retain(|revision| !state.revisions.contains(revision));
        }
        Self::weigh_rows(&mut state.breach, &new, |revision| {
            state.revisions.contains(revision)
        });
        state.revisions.append(&mut new);
        state.revisions.sort_unstable();
        sifted.is_revised = true;
        for (day, message) in &sifted.revisions {
            if let Some(held) = state.memory.get_mut(day) {
                let held = held.entry(message.id).or_default();
                held.settled.insert(message.content);
                held.is_stored |= self.is(Flaw::SettledIsStored);
            }
        }
    }

    fn weigh_rows<T: Ord>(
        breach: &mut Option<Invariant>,
        new: &[T],
        is_known: impl Fn(&T) -> bool,
    ) {
        weigh(
            breach,
            &RowsAdded {
                rows: new.len() as u64,
                distinct: new.iter().collect::<BTreeSet<_>>().len() as u64,
                known: new.iter().filter(|row| is_known(row)).count() as u64,
            },
        );
    }

    fn commit(&self, state: &mut State, is_noticed: bool) {
        let Some(sifted) = state.sifted.take() else {
            return;
        };
        if state.seen != Some(state.stands) && !self.is(Flaw::FailureBelieved) {
            // Fenced: the position is not where it was. Begin anew.
            Self::end(state);
            return;
        }
        let ids: Vec<u8> = sifted.new.iter().map(|(_, message)| message.id).collect();
        Self::weigh_rows(&mut state.breach, &ids, |id| {
            state.rows.iter().any(|(_, stored, _)| stored == id)
        });
        let row = |(day, message): &(u8, Message)| (*day, message.id, message.content);
        state.rows.extend(sifted.new.iter().map(row));
        state.rows.sort_unstable();
        state.stands = state.seen.unwrap_or(0) + state.batch.len();
        if is_noticed {
            state.seen = Some(state.stands);
            state.batch.clear();
            Self::remember(state, &sifted);
        }
    }

    fn end(state: &mut State) {
        state.seen = None;
        state.batch.clear();
        state.sifted = None;
        state.memory.clear();
    }

    /// All that comes does so before the lake starts: it takes as much of it at a time as it likes.
    fn arrivals(state: &State, steps: &mut Vec<Step>) {
        let has_begun = state.seen.is_some() || state.stands > 0 || state.faults_left < FAULTS;
        if has_begun || state.log.len() == ARRIVALS {
            return;
        }
        for came in FIRST_DAY..=LAST_DAY {
            for id in 0..3 {
                // Whatever an identity says first is called 0.
                let has_come = state.log.iter().any(|message| message.id == id);
                let contents = 0..=u8::from(has_come);
                steps.extend(contents.map(|content| Step::Arrive(Message { id, content, came })));
            }
        }
    }

    fn lake_steps(state: &State, steps: &mut Vec<Step>) {
        let Some(seen) = state.seen else {
            steps.push(Step::Start);
            return;
        };
        let is_more = seen + state.batch.len() < state.log.len();
        match &state.sifted {
            None => {
                if is_more && state.batch.len() < BATCH_MAX {
                    steps.push(Step::Take);
                }
                if !state.batch.is_empty() {
                    steps.push(Step::Sift);
                }
            }
            Some(sifted) if !sifted.is_revised && !sifted.revisions.is_empty() => {
                steps.push(Step::CommitRevisions);
            }
            Some(_) => steps.push(Step::Commit),
        }
        if state.faults_left == 0 {
            return;
        }
        steps.push(Step::End);
        if steps.contains(&Step::Commit) {
            steps.extend([Step::CommitFails, Step::CommitSeemsToFail]);
        }
        if state.sifted.is_none() {
            steps.extend(state.memory.keys().map(|day| Step::LetGo { day: *day }));
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            log: Vec::new(),
            rows: Vec::new(),
            revisions: Vec::new(),
            stands: 0,
            seen: None,
            batch: Vec::new(),
            sifted: None,
            memory: BTreeMap::new(),
            faults_left: FAULTS,
            breach: None,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        Self::arrivals(state, steps);
        Self::lake_steps(state, steps);
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        let is_fault = Self::is_fault(&step) && !matches!(step, Step::Arrive(_));
        state.faults_left -= u8::from(is_fault);
        match step {
            Step::Arrive(message) => state.log.push(message),
            Step::Start => state.seen = Some(state.stands),
            Step::End => Self::end(&mut state),
            Step::Take => {
                let next = state.seen.unwrap_or(0) + state.batch.len();
                state.batch.push(state.log[next]);
            }
            Step::Sift => self.sift(&mut state),
            Step::CommitRevisions => self.commit_revisions(&mut state),
            Step::Commit => self.commit(&mut state, true),
            Step::CommitFails => state.sifted = None,
            Step::CommitSeemsToFail => self.commit(&mut state, false),
            Step::LetGo { day } => {
                state.memory.remove(&day);
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            never::<RowsAdded, Self>(),
            Property::always("every_identity_has_a_row", |model: &Self, state: &State| {
                let has_row =
                    |message: &Message| state.rows.iter().any(|(_, id, _)| *id == message.id);
                !model.is_settled(state) || state.log.iter().all(has_row)
            }),
            Property::always("no_update_is_lost", |model: &Self, state: &State| {
                let is_kept = |message: &Message| {
                    let Message { id, content, .. } = *message;
                    state.revisions.contains(&(id, content))
                        || state
                            .rows
                            .iter()
                            .any(|(_, of, kept)| (*of, *kept) == (id, content))
                };
                !model.is_settled(state) || state.log.iter().all(is_kept)
            }),
            Property::always("a_duplicate_is_no_revision", |_, state: &State| {
                let is_row = |revision: &(u8, u8)| {
                    state
                        .rows
                        .iter()
                        .any(|(_, id, content)| (*id, *content) == *revision)
                };
                !state.revisions.iter().any(is_row)
            }),
            Property::sometimes("a_revision_is_kept", |_, state: &State| {
                !state.revisions.is_empty()
            }),
            Property::sometimes("a_duplicate_is_left_out", |model: &Self, state: &State| {
                let kept = state.rows.len() + state.revisions.len();
                model.is_settled(state) && kept < state.log.len()
            }),
            Property::sometimes("all_three_are_kept", |_, state: &State| {
                state.rows.len() == 3
            }),
        ]
    }
}

impl Faulty for Protocol {
    fn is_fault(step: &Step) -> bool {
        !matches!(
            step,
            Step::Start | Step::Take | Step::Sift | Step::CommitRevisions | Step::Commit
        )
    }
}

#[test]
fn a_record_is_stored_once_and_no_update_is_lost() {
    holds(
        "identity, deduplication, revision",
        Protocol { flaw: Flaw::None },
    );
}

#[test]
fn each_flaw_is_caught() {
    let by = [
        (Flaw::ForgottenIsEmpty, "rows_distinct"),
        (Flaw::RememberedBeforeCommit, "every_identity_has_a_row"),
        (Flaw::ContentIgnored, "no_update_is_lost"),
        (Flaw::NoLookBack, "rows_distinct"),
        (Flaw::NoLookAhead, "rows_distinct"),
        (Flaw::OnceAheadForgotten, "rows_distinct"),
        (Flaw::ClaimForgotten, "rows_distinct"),
        (Flaw::RevisionUnnamed, "rows_distinct"),
        (Flaw::SettledIsStored, "every_identity_has_a_row"),
        (Flaw::FailureBelieved, "rows_distinct"),
    ];
    for (flaw, property) in by {
        is_caught(&format!("{flaw:?}"), Protocol { flaw }, property);
    }
}
