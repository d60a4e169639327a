//! Publish, commit, offset: from a source by the log into a table, with its announcement.
//!
//! One source, one partition of a log, two consumers of which the broker gives the partition to one (the other may not
//! have noticed), one table whose entry holds rows and position together. Faults: either side ends at any step, an
//! acknowledgement is lost, the partition goes to the other consumer, the log is replaced by an empty one.

use schemas::invariants::{CommittedRange, CursorMove, Invariant, RowsAdded};
use stateright::{Model, Property};

use crate::explore::{Breached, Faulty, holds, is_caught, never, weigh};

const RECORDS: u8 = 3;
const BATCH_MAX: usize = 2;
const FAULTS: u8 = 2;

/// A way in which the protocol is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// The cursor is stored before the log has acknowledged.
    CursorFirst,
    /// The table's position is believed although it is of another log.
    LogNotNamed,
    /// A commit does not look where the table stands.
    NoFence,
    /// The group's position decides where to read on, and moves before the commit.
    GroupFirst,
    /// Who takes over does not announce what may not have been announced.
    NotAnnouncedAgain,
    /// Messages of a new log are deleted up to where the group stood on the old one.
    RetentionOfOldGroup,
    /// What came twice is stored twice.
    NotDeduplicated,
    /// A log that was replaced leaves its line in the ledger only with the first rows of the new one.
    LossToldWithRows,
}

/// An offset of a certain log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Position {
    log: u8,
    offset: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Log {
    id: u8,
    /// First offset that is still there.
    start: u8,
    records: Vec<u8>,
}

impl Log {
    fn end(&self) -> Position {
        Position {
            log: self.id,
            offset: u8::try_from(self.records.len()).unwrap_or(u8::MAX),
        }
    }
}

/// One entry of its log changes all of it but `announced`, which is what stands on the topic of announcements.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Table {
    rows: Vec<u8>,
    stands: Position,
    versions: u8,
    announced: u8,
    /// Whether the ledger says that a log was replaced.
    loss_told: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Consumer {
    Down,
    Reading {
        /// Where the table stood when it was looked at.
        seen: Position,
        /// Where the batch begins.
        from: Position,
        batch: Vec<u8>,
    },
    /// Committed, and not announced yet.
    Announcing {
        to: Position,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct State {
    /// What the source has sent and the log acknowledged, in memory.
    sent: u8,
    /// The same, durable.
    cursor: u8,
    log: Log,
    group: Position,
    table: Table,
    consumers: [Consumer; 2],
    owner: u8,
    faults_left: u8,
    /// Records that went with the old log, as nobody in the system knows.
    gone: Vec<u8>,
    was_fenced: bool,
    breach: Option<Invariant>,
}

impl Breached for State {
    fn breach(&self) -> Option<Invariant> {
        self.breach
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Publish,
    /// Published; the acknowledgement is lost.
    PublishUnheard,
    StoreCursor,
    EndIngest,
    TakeOver(u8),
    Read(u8),
    Commit(u8),
    Announce(u8),
    EndConsumer(u8),
    /// The partition goes to the other consumer.
    Rebalance,
    DeleteRead,
    ReplaceLog,
}

struct Protocol {
    flaw: Flaw,
}

impl Protocol {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    fn publish(&self, state: &mut State, is_heard: bool) {
        state.log.records.push(state.sent);
        if self.is(Flaw::CursorFirst) {
            weigh(
                &mut state.breach,
                &CursorMove {
                    covered: 1,
                    acknowledged: u64::from(is_heard),
                },
            );
            state.cursor = state.cursor.max(state.sent + 1);
        }
        state.sent += u8::from(is_heard);
    }

    fn take_over(&self, state: &mut State, at: usize) {
        let table = &mut state.table;
        if !self.is(Flaw::NotAnnouncedAgain) {
            table.announced = table.versions;
        }
        let mut from = if self.is(Flaw::GroupFirst) {
            state.group
        } else {
            table.stands
        };
        if from.log != state.log.id {
            from.log = state.log.id;
            if !self.is(Flaw::LogNotNamed) {
                from.offset = state.log.start;
            }
        }
        state.consumers[at] = Consumer::Reading {
            seen: table.stands,
            from,
            batch: Vec::new(),
        };
    }

    fn read(&self, state: &mut State, at: usize) {
        let (log, group) = (&state.log, &mut state.group);
        let Consumer::Reading { from, batch, .. } = &mut state.consumers[at] else {
            return;
        };
        if from.log != log.id && self.is(Flaw::LogNotNamed) {
            from.log = log.id;
        }
        if from.log != log.id {
            // The deliveries are of another log: begin anew.
            state.consumers[at] = Consumer::Down;
            return;
        }
        let next = usize::from(from.offset) + batch.len();
        if let Some(record) = log.records.get(next.max(usize::from(log.start))) {
            batch.push(*record);
        }
        if self.is(Flaw::GroupFirst) {
            *group = Position {
                log: log.id,
                offset: from.offset + u8::try_from(batch.len()).unwrap_or(0),
            };
        }
    }

    fn commit(&self, state: &mut State, at: usize) {
        let Consumer::Reading { seen, from, batch } = state.consumers[at].clone() else {
            return;
        };
        let table = &mut state.table;
        if seen != table.stands && !self.is(Flaw::NoFence) {
            state.was_fenced = true;
            state.consumers[at] = Consumer::Down;
            return;
        }
        let to = Position {
            log: from.log,
            offset: from.offset + u8::try_from(batch.len()).unwrap_or(0),
        };
        weigh(
            &mut state.breach,
            &CommittedRange {
                stood_at: i64::from(table.stands.offset),
                from: i64::from(from.offset),
                to: i64::from(to.offset),
                same_log: table.stands.log == from.log,
            },
        );
        let mut new = batch;
        if !self.is(Flaw::NotDeduplicated) {
            new.sort_unstable();
            new.dedup();
            new.retain(|record| !table.rows.contains(record));
        }
        let mut distinct = new.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let known = new
            .iter()
            .filter(|record| table.rows.contains(record))
            .count();
        weigh(
            &mut state.breach,
            &RowsAdded {
                rows: new.len() as u64,
                distinct: distinct.len() as u64,
                known: known as u64,
            },
        );
        table.loss_told |= table.stands.log != from.log;
        table.rows.append(&mut new);
        table.rows.sort_unstable();
        table.stands = to;
        table.versions += 1;
        state.consumers[at] = Consumer::Announcing { to };
    }

    fn announce(state: &mut State, at: usize) {
        let Consumer::Announcing { to } = state.consumers[at] else {
            return;
        };
        state.table.announced = state.table.versions;
        state.group = to;
        state.consumers[at] = Consumer::Reading {
            seen: to,
            from: to,
            batch: Vec::new(),
        };
    }

    /// Up to where messages may be deleted now.
    fn deletable(&self, state: &State) -> u8 {
        if state.group.log == state.log.id || self.is(Flaw::RetentionOfOldGroup) {
            state.group.offset.min(state.log.end().offset)
        } else {
            0
        }
    }

    fn replace_log(state: &mut State) {
        let unread = if state.table.stands.log == state.log.id {
            state.table.stands.offset
        } else {
            0
        };
        state
            .gone
            .extend(&state.log.records[usize::from(unread).min(state.log.records.len())..]);
        state.log = Log {
            id: state.log.id + 1,
            start: 0,
            records: Vec::new(),
        };
    }

    fn consumer_steps(&self, state: &State, at: u8, steps: &mut Vec<Step>) {
        match &state.consumers[usize::from(at)] {
            Consumer::Down if state.owner == at => steps.push(Step::TakeOver(at)),
            Consumer::Down => {}
            Consumer::Reading { from, batch, .. } => {
                let next = usize::from(from.offset) + batch.len();
                let is_behind = next < state.log.records.len() && batch.len() < BATCH_MAX;
                if from.log != state.log.id || is_behind {
                    steps.push(Step::Read(at));
                }
                // Also without rows, so that the ledger says at once that the old log is gone.
                let is_new_log = from.log != state.table.stands.log;
                let is_told = is_new_log && !self.is(Flaw::LossToldWithRows);
                if !batch.is_empty() || is_told {
                    steps.push(Step::Commit(at));
                }
            }
            Consumer::Announcing { .. } => steps.push(Step::Announce(at)),
        }
        if state.faults_left > 0 && state.consumers[usize::from(at)] != Consumer::Down {
            steps.push(Step::EndConsumer(at));
        }
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let start = Position { log: 0, offset: 0 };
        vec![State {
            sent: 0,
            cursor: 0,
            log: Log {
                id: 0,
                start: 0,
                records: Vec::new(),
            },
            group: start,
            table: Table {
                rows: Vec::new(),
                stands: start,
                versions: 0,
                announced: 0,
                loss_told: false,
            },
            consumers: [Consumer::Down, Consumer::Down],
            owner: 0,
            faults_left: FAULTS,
            gone: Vec::new(),
            was_fenced: false,
            breach: None,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.sent < RECORDS {
            steps.push(Step::Publish);
        }
        if state.cursor < state.sent {
            steps.push(Step::StoreCursor);
        }
        for at in [0, 1] {
            self.consumer_steps(state, at, steps);
        }
        if self.deletable(state) > state.log.start {
            steps.push(Step::DeleteRead);
        }
        if state.faults_left > 0 {
            if state.sent < RECORDS {
                steps.push(Step::PublishUnheard);
            }
            if state.sent != state.cursor {
                steps.push(Step::EndIngest);
            }
            steps.push(Step::Rebalance);
            if state.log.id == 0 && !state.log.records.is_empty() {
                steps.push(Step::ReplaceLog);
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        match step {
            Step::Publish => self.publish(&mut state, true),
            Step::PublishUnheard => self.publish(&mut state, false),
            Step::StoreCursor => {
                let covered = u64::from(state.sent - state.cursor);
                weigh(
                    &mut state.breach,
                    &CursorMove {
                        covered,
                        acknowledged: covered,
                    },
                );
                state.cursor = state.sent;
            }
            Step::EndIngest => state.sent = state.cursor,
            Step::TakeOver(at) => self.take_over(&mut state, usize::from(at)),
            Step::Read(at) => self.read(&mut state, usize::from(at)),
            Step::Commit(at) => self.commit(&mut state, usize::from(at)),
            Step::Announce(at) => Self::announce(&mut state, usize::from(at)),
            Step::EndConsumer(at) => state.consumers[usize::from(at)] = Consumer::Down,
            Step::Rebalance => state.owner = 1 - state.owner,
            Step::DeleteRead => state.log.start = self.deletable(&state),
            Step::ReplaceLog => Self::replace_log(&mut state),
        }
        state.faults_left -= u8::from(Self::is_fault(&step));
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            never::<CursorMove, Self>(),
            never::<CommittedRange, Self>(),
            never::<RowsAdded, Self>(),
            Property::always("records_arrive", |model: &Self, state: &State| {
                let is_there =
                    |record: &u8| state.table.rows.contains(record) || state.gone.contains(record);
                !model.is_settled(state) || (0..state.cursor).all(|record| is_there(&record))
            }),
            Property::always("loss_is_told", |model: &Self, state: &State| {
                !model.is_settled(state) || state.gone.is_empty() || state.table.loss_told
            }),
            Property::always("commits_are_announced", |model: &Self, state: &State| {
                !model.is_settled(state) || state.table.announced == state.table.versions
            }),
            Property::sometimes("all_is_read", |model: &Self, state: &State| {
                model.is_settled(state) && state.table.rows.len() == usize::from(RECORDS)
            }),
            Property::sometimes("a_zombie_is_fenced", |_, state: &State| state.was_fenced),
            Property::sometimes(
                "a_new_log_is_read_to_its_end",
                |model: &Self, state: &State| {
                    model.is_settled(state)
                        && state.table.stands == state.log.end()
                        && state.log.id == 1
                },
            ),
        ]
    }
}

impl Faulty for Protocol {
    fn is_fault(step: &Step) -> bool {
        matches!(
            step,
            Step::PublishUnheard
                | Step::EndIngest
                | Step::EndConsumer(_)
                | Step::Rebalance
                | Step::ReplaceLog
        )
    }
}

#[test]
fn every_record_arrives_once_whatever_ends_when() {
    holds("publish, commit, offset", Protocol { flaw: Flaw::None });
}

#[test]
fn each_flaw_is_caught() {
    let by = [
        (Flaw::CursorFirst, "cursor_behind_acknowledgement"),
        (Flaw::LogNotNamed, "records_arrive"),
        (Flaw::NoFence, "offsets_with_rows"),
        (Flaw::GroupFirst, "records_arrive"),
        (Flaw::NotAnnouncedAgain, "commits_are_announced"),
        (Flaw::RetentionOfOldGroup, "records_arrive"),
        (Flaw::NotDeduplicated, "rows_distinct"),
        (Flaw::LossToldWithRows, "loss_is_told"),
    ];
    for (flaw, property) in by {
        is_caught(&format!("{flaw:?}"), Protocol { flaw }, property);
    }
}
