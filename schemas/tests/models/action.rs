//! Intent, call, read back, journal: one action, two responders, a directory that may be away.
//!
//! The directory takes a call now, later, or not at all, and its answer may be lost. The journal and the lease are
//! durable and change in one step; the journal stands for that of whoever acts. Faults: a responder ends or stands still
//! at any step, the lease goes to the other one, an answer is lost, a call arrives late, is refused or has no effect, the
//! directory is away, a person sets the kill switch.
//!
//! A lease goes over in two steps: the former holder is shut out, so that it passes no gate any more, and its successor
//! acts once no call can be on its way out that passed before. What happens without the second is one of the flaws.

#[path = "action/world.rs"]
mod world;

use schemas::invariants::{
    CalledEffective, EffectBegins, EffectRepeats, SentByHolder, SentWhileStopped,
};
use stateright::{Model, Property};

use self::world::{Answer, Directory, Journal, Phase, Responder, State, Step, Switch};
use crate::explore::{Faulty, holds, is_caught, never, weigh};

const FAULTS: u8 = 6;
/// Calls of the action, at most; then nobody knows.
const CALLS_MAX: u8 = 3;

/// A way in which the protocol is broken on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// The intent is written after the call.
    CallFirst,
    /// After a crash the call is made again, unread.
    RepeatUnread,
    /// An accepted call is called effective.
    ClaimOnAnswer,
    /// The stop is acknowledged while a call has passed the gate.
    AcknowledgeTooEarly,
    /// The gate does not ask for the lease.
    NoLease,
    /// The other one acts as soon as it has the lease, while a call has passed the gate.
    LeaseShorterThanCall,
    /// A refused call ends as failed although an earlier one may still arrive.
    FailedThoughUnsure,
    /// What cannot begin now is refused for good.
    HeldIsRefused,
}

struct Protocol {
    flaw: Flaw,
}

impl Protocol {
    fn is(&self, flaw: Flaw) -> bool {
        self.flaw == flaw
    }

    /// Writes into the journal, if the lease still stands.
    fn advance(state: &mut State, at: usize, to: Journal, then: Phase) {
        if state.responders[at].epoch == state.epoch {
            state.journal = to;
            state.responders[at].phase = then;
        } else {
            state.responders[at].phase = Phase::Idle;
        }
    }

    fn begin(&self, state: &mut State, at: usize) {
        if state.is_shut() {
            let to = if self.is(Flaw::HeldIsRefused) {
                Journal::Refused
            } else {
                Journal::Held
            };
            state.was_held = true;
            Self::advance(state, at, to, Phase::Idle);
        } else if self.is(Flaw::CallFirst) {
            state.responders[at].phase = Phase::Ready;
        } else {
            Self::advance(state, at, Journal::Intended, Phase::Ready);
        }
    }

    fn resume(&self, state: &mut State, at: usize) {
        state.responders[at].phase = match state.journal {
            Journal::Applied => Phase::Confirming,
            _ if self.is(Flaw::RepeatUnread) => Phase::Ready,
            _ => Phase::Unsure,
        };
        state.is_unsure |= state.journal == Journal::Intended;
    }

    fn pass_gate(&self, state: &mut State, at: usize) {
        let epoch = state.responders[at].epoch;
        let is_confirmed = epoch == state.epoch && epoch == state.given;
        let may = (is_confirmed || self.is(Flaw::NoLease)) && state.switch == Switch::Open;
        // What may not be sent stays as it is in the journal, and is resumed.
        state.responders[at].phase = if may { Phase::Gated } else { Phase::Idle };
    }

    fn send(&self, state: &mut State, at: usize, answer: Answer) {
        let breach = &mut state.breach;
        weigh(
            breach,
            &EffectBegins {
                intent_durable: state.journal == Journal::Intended,
            },
        );
        weigh(
            breach,
            &EffectRepeats {
                unread: u32::from(state.unread),
            },
        );
        weigh(
            breach,
            &SentWhileStopped {
                acknowledged: state.switch == Switch::Acknowledged,
            },
        );
        weigh(
            breach,
            &SentByHolder {
                own_epoch: u64::from(state.responders[at].epoch),
                epoch_in_force: u64::from(state.epoch),
                // One that stood still since is not there any more: it asks again.
                confirmed_us_ago: 0,
            },
        );
        state.calls += 1;
        state.unread += 1;
        state.directory.has_effect |= matches!(answer, Answer::Accepted | Answer::Lost);
        state.directory.late += u8::from(answer == Answer::Late);
        state.is_unsure |= matches!(answer, Answer::Lost | Answer::Late);
        state.responders[at].phase = match answer {
            Answer::Accepted | Answer::Ignored => Phase::Accepted,
            Answer::Lost | Answer::Late => Phase::Unsure,
            Answer::Refused => Phase::Rejected,
        };
        if self.is(Flaw::CallFirst) {
            state.journal = Journal::Intended;
        }
    }

    fn note_accepted(&self, state: &mut State, at: usize) {
        if self.is(Flaw::ClaimOnAnswer) {
            weigh(&mut state.breach, &CalledEffective { read_back: false });
            Self::advance(state, at, Journal::Effective, Phase::Idle);
        } else {
            Self::advance(state, at, Journal::Applied, Phase::Confirming);
        }
    }

    fn read_back(&self, state: &mut State, at: usize) {
        if state.responders[at].epoch == state.epoch {
            state.unread = 0;
        }
        let phase = state.responders[at].phase;
        if state.directory.has_effect {
            weigh(&mut state.breach, &CalledEffective { read_back: true });
            Self::advance(state, at, Journal::Effective, Phase::Idle);
            return;
        }
        let is_unsure = state.is_unsure && !self.is(Flaw::FailedThoughUnsure);
        let to = match phase {
            Phase::Confirming => Journal::NotEffective,
            Phase::Rejected if !is_unsure => Journal::Failed,
            Phase::Unsure if state.calls < CALLS_MAX => {
                state.responders[at].phase = Phase::Ready;
                return;
            }
            _ => Journal::Unknown,
        };
        Self::advance(state, at, to, Phase::Idle);
    }

    fn steps_of(&self, state: &State, at: usize, steps: &mut Vec<Step>) {
        let Responder { phase, epoch } = state.responders[at];
        let may_end = state.faults_left > 0;
        if may_end && phase != Phase::Down {
            steps.push(Step::End(at));
        }
        let is_holder = epoch == state.epoch && epoch == state.given && state.holder == at;
        let is_shut = state.is_shut();
        match phase {
            Phase::Down => steps.push(Step::Start(at)),
            Phase::Idle if !is_holder => self.lease_steps(state, at, steps),
            Phase::Idle => match state.journal {
                Journal::Approved => steps.push(Step::Begin(at)),
                Journal::Held if !is_shut => steps.push(Step::Begin(at)),
                // It looks first, so only what cannot be looked at has to wait.
                Journal::Intended | Journal::Applied if !is_shut => {
                    steps.push(Step::Resume(at));
                }
                _ => {}
            },
            Phase::Ready => steps.push(Step::PassGate(at)),
            Phase::Gated => {
                steps.push(Step::Send(at, Answer::Accepted));
                if state.faults_left > 0 {
                    steps.push(Step::StandStill(at));
                    let others = [Answer::Lost, Answer::Late, Answer::Refused, Answer::Ignored];
                    steps.extend(others.map(|answer| Step::Send(at, answer)));
                }
            }
            Phase::Accepted => steps.push(Step::NoteAccepted(at)),
            Phase::Rejected | Phase::Unsure | Phase::Confirming => {
                steps.extend((!state.directory.is_away).then_some(Step::ReadBack(at)));
            }
        }
    }

    fn lease_steps(&self, state: &State, at: usize, steps: &mut Vec<Step>) {
        let holder = state.responders[state.holder];
        if state.holder == at && state.responders[at].epoch == state.given {
            let other = state.responders[1 - at].phase;
            if other != Phase::Gated || self.is(Flaw::LeaseShorterThanCall) {
                steps.push(Step::BeginTerm(at));
            }
        } else if state.holder == at || holder.phase == Phase::Down {
            steps.push(Step::TakeLease(at));
        } else if state.faults_left > 0 {
            steps.push(Step::SeizeLease(at));
        }
    }

    fn may_acknowledge(&self, state: &State) -> bool {
        let is_sending = state
            .responders
            .iter()
            .any(|responder| responder.phase == Phase::Gated);
        let is_up = state.responders[state.holder].phase != Phase::Down;
        state.switch == Switch::Set && is_up && (!is_sending || self.is(Flaw::AcknowledgeTooEarly))
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            directory: Directory {
                has_effect: false,
                late: 0,
                is_away: false,
            },
            journal: Journal::Approved,
            calls: 0,
            is_unsure: false,
            unread: 0,
            epoch: 0,
            given: 0,
            holder: 0,
            switch: Switch::Open,
            responders: [Responder {
                phase: Phase::Down,
                epoch: 0,
            }; 2],
            faults_left: FAULTS,
            was_held: false,
            breach: None,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for at in [0, 1] {
            self.steps_of(state, at, steps);
        }
        if state.directory.late > 0 {
            steps.extend([Step::LateArrives, Step::LateIsLost]);
        }
        if state.switch != Switch::Open {
            steps.push(Step::LiftSwitch);
        }
        if self.may_acknowledge(state) {
            steps.push(Step::Acknowledge);
        }
        if state.directory.is_away {
            steps.push(Step::ComeBack);
        }
        if state.faults_left > 0 {
            if state.switch == Switch::Open {
                steps.push(Step::SetSwitch);
            }
            if !state.directory.is_away {
                steps.push(Step::GoAway);
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        state.faults_left -= u8::from(Self::is_fault(&step));
        match step {
            Step::Start(at) => {
                state.responders[at] = Responder {
                    phase: Phase::Idle,
                    epoch: 0,
                }
            }
            Step::End(at) => {
                state.responders[at] = Responder {
                    phase: Phase::Down,
                    epoch: 0,
                }
            }
            Step::TakeLease(at) | Step::SeizeLease(at) => {
                state.given += 1;
                state.holder = at;
                state.responders[at].epoch = state.given;
            }
            Step::BeginTerm(_) => state.epoch = state.given,
            Step::StandStill(at) => state.responders[at].phase = Phase::Ready,
            Step::Begin(at) => self.begin(&mut state, at),
            Step::Resume(at) => self.resume(&mut state, at),
            Step::PassGate(at) => self.pass_gate(&mut state, at),
            Step::Send(at, answer) => self.send(&mut state, at, answer),
            Step::NoteAccepted(at) => self.note_accepted(&mut state, at),
            Step::ReadBack(at) => self.read_back(&mut state, at),
            Step::LateArrives => {
                state.directory.late -= 1;
                state.directory.has_effect = true;
            }
            Step::LateIsLost => state.directory.late -= 1,
            Step::SetSwitch => state.switch = Switch::Set,
            Step::LiftSwitch => state.switch = Switch::Open,
            Step::Acknowledge => state.switch = Switch::Acknowledged,
            Step::GoAway => state.directory.is_away = true,
            Step::ComeBack => state.directory.is_away = false,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            never::<EffectBegins, Self>(),
            never::<EffectRepeats, Self>(),
            never::<CalledEffective, Self>(),
            never::<SentWhileStopped, Self>(),
            never::<SentByHolder, Self>(),
            Property::always(
                "containment_is_not_dropped",
                |model: &Self, state: &State| {
                    let is_done = state.journal.is_final() && state.journal != Journal::Refused;
                    !model.is_settled(state) || is_done
                },
            ),
            Property::always("what_failed_had_no_effect", |_, state: &State| {
                state.journal != Journal::Failed || !state.directory.has_effect
            }),
            Property::sometimes("effective", |_, state: &State| {
                state.journal == Journal::Effective
            }),
            Property::sometimes("failed", |_, state: &State| {
                state.journal == Journal::Failed
            }),
            Property::sometimes("not_effective", |_, state: &State| {
                state.journal == Journal::NotEffective
            }),
            Property::sometimes("unknown", |_, state: &State| {
                state.journal == Journal::Unknown
            }),
            Property::sometimes("held_and_done_later", |_, state: &State| {
                state.was_held && state.journal == Journal::Effective
            }),
            Property::sometimes("stopped_and_done_later", |_, state: &State| {
                state.switch == Switch::Acknowledged
                    && state.calls > 0
                    && state.journal == Journal::Intended
            }),
        ]
    }
}

impl Faulty for Protocol {
    fn is_fault(step: &Step) -> bool {
        match step {
            Step::End(_)
            | Step::SeizeLease(_)
            | Step::StandStill(_)
            | Step::SetSwitch
            | Step::GoAway => true,
            Step::Send(_, answer) => *answer != Answer::Accepted,
            _ => false,
        }
    }
}

#[test]
fn an_action_is_done_once_or_said_to_be_unknown() {
    holds(
        "intent, call, read back, journal",
        Protocol { flaw: Flaw::None },
    );
}

#[test]
fn each_flaw_is_caught() {
    let by = [
        (Flaw::CallFirst, "intent_before_effect"),
        (Flaw::RepeatUnread, "read_back_before_repeat"),
        (Flaw::ClaimOnAnswer, "effective_by_read_back"),
        (Flaw::AcknowledgeTooEarly, "nothing_after_switch"),
        (Flaw::NoLease, "one_responder"),
        (Flaw::LeaseShorterThanCall, "one_responder"),
        (Flaw::FailedThoughUnsure, "what_failed_had_no_effect"),
        (Flaw::HeldIsRefused, "containment_is_not_dropped"),
    ];
    for (flaw, property) in by {
        is_caught(&format!("{flaw:?}"), Protocol { flaw }, property);
    }
}
