//! What is durable, what a responder knows, what the directory has, and every step that can happen.

use schemas::invariants::Invariant;

use crate::explore::Breached;

/// What is durable about the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Journal {
    Approved,
    /// Cannot begin now; goes on by itself.
    Held,
    Intended,
    Applied,
    Refused,
    Effective,
    NotEffective,
    Failed,
    Unknown,
}

impl Journal {
    pub(crate) fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Approved | Self::Held | Self::Intended | Self::Applied
        )
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Directory {
    /// It has what the action wants.
    pub(crate) has_effect: bool,
    /// Calls that were sent and have not arrived.
    pub(crate) late: u8,
    pub(crate) is_away: bool,
}

/// The kill switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Switch {
    Open,
    Set,
    /// Set, and the responder has said so.
    Acknowledged,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Phase {
    Down,
    Idle,
    /// Wants to send.
    Ready,
    /// Has passed the gate.
    Gated,
    /// The call was accepted; not yet in the journal.
    Accepted,
    /// The call was refused.
    Rejected,
    /// It was perhaps sent.
    Unsure,
    /// Accepted and in the journal.
    Confirming,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Responder {
    pub(crate) phase: Phase,
    pub(crate) epoch: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    pub(crate) directory: Directory,
    pub(crate) journal: Journal,
    pub(crate) calls: u8,
    /// Durable: a call may have been made of which the answer is not known.
    pub(crate) is_unsure: bool,
    /// Calls since the directory was last read, as nobody in the system knows.
    pub(crate) unread: u8,
    /// The epoch of whoever may act.
    pub(crate) epoch: u8,
    /// The epoch that was given last: whoever has an older one is shut out.
    pub(crate) given: u8,
    /// Whom it was given to.
    pub(crate) holder: usize,
    pub(crate) switch: Switch,
    pub(crate) responders: [Responder; 2],
    pub(crate) faults_left: u8,
    pub(crate) was_held: bool,
    pub(crate) breach: Option<Invariant>,
}

impl State {
    pub(crate) fn is_shut(&self) -> bool {
        self.directory.is_away || self.switch != Switch::Open
    }
}

impl Breached for State {
    fn breach(&self) -> Option<Invariant> {
        self.breach
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepted,
    /// Accepted, and the answer is lost.
    Lost,
    /// It arrives later, if at all; the sender has given up.
    Late,
    Refused,
    /// Accepted, and nothing happens.
    Ignored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Start(usize),
    End(usize),
    /// The holder is gone.
    TakeLease(usize),
    /// The holder is not gone; it may not know.
    SeizeLease(usize),
    /// Whoever was given the lease acts from now on.
    BeginTerm(usize),
    /// It has passed the gate, and stands still for so long that it asks again.
    StandStill(usize),
    Begin(usize),
    Resume(usize),
    PassGate(usize),
    Send(usize, Answer),
    NoteAccepted(usize),
    ReadBack(usize),
    LateArrives,
    LateIsLost,
    SetSwitch,
    LiftSwitch,
    Acknowledge,
    GoAway,
    ComeBack,
}
