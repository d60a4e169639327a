//! What a story is: the trait that each implements, and the words in which it is told.

use serde::Serialize;

use super::cast::{Cast, Casting, Opening};
use crate::world::records::outcome::SignInOutcome;
use crate::world::scene::Scene;

/// An attack that can happen on the simulated day.
///
/// One file implements one story, and one line of the list in `stories.rs` makes it known. A step is decided by the
/// state of the scene at that moment: whether the attacker got in, and what has been blocked or revoked since.
pub(crate) trait Story: Send + Sized + 'static {
    /// What is done in a phase.
    type Step: Copy + PartialEq + Send + 'static;

    /// Its name in configuration, on command lines and in answers.
    const NAME: &'static str;
    /// What it does, in one sentence.
    const SENTENCE: &'static str;
    /// Its phases, in the order in which they begin; each step once.
    const PHASES: &'static [Phase<Self::Step>];
    /// What of it a detection should find.
    const TRUTH: GroundTruth;
    /// To whom it happens, when, and from where the attacker comes.
    const CASTING: Casting;

    /// Who is who; by [`Self::CASTING`], unless a story has its own reasons.
    fn cast(opening: &Opening<'_>) -> Cast {
        Self::CASTING.cast(Self::NAME, opening)
    }

    /// The story before its first step.
    fn begin(cast: &Cast, opening: &Opening<'_>) -> Self;

    /// When which step is taken, and how often.
    fn turns(&self, cast: &Cast, opening: &Opening<'_>) -> Vec<StoryTurn<Self::Step>>;

    /// Takes a step, for the `serial`-th time; none if nothing was there to be tried.
    fn play(
        &mut self,
        scene: &mut Scene,
        cast: &Cast,
        step: Self::Step,
        serial: u32,
        at_us: i64,
    ) -> Option<Played>;

    /// What the attacker holds, where a story obeys every response and can say so.
    fn holdings(&self, _scene: &Scene, _cast: &Cast) -> Option<Holdings> {
        None
    }
}

/// A phase of a story, by its step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phase<S> {
    pub(crate) step: S,
    pub(crate) told: ToldPhase,
}

/// How a phase is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldPhase {
    /// Its name in answers and exports.
    pub name: &'static str,
    /// What happens in it, in one sentence.
    pub sentence: &'static str,
    pub(crate) track: Track,
}

/// Where what happens in a phase is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Track {
    /// Among the steps of the story.
    Step,
    /// Among what the attacker tries again and again.
    Attempt,
    /// Nowhere: it shows in what the attacker holds.
    Untold,
}

/// A phase that is told as a step.
pub(crate) const fn step<S>(step: S, name: &'static str, sentence: &'static str) -> Phase<S> {
    on(Track::Step, step, name, sentence)
}

/// A phase that is told as an attempt.
pub(crate) const fn attempt<S>(step: S, name: &'static str, sentence: &'static str) -> Phase<S> {
    on(Track::Attempt, step, name, sentence)
}

/// A phase that is not told.
pub(crate) const fn untold<S>(step: S, name: &'static str, sentence: &'static str) -> Phase<S> {
    on(Track::Untold, step, name, sentence)
}

const fn on<S>(track: Track, step: S, name: &'static str, sentence: &'static str) -> Phase<S> {
    Phase {
        step,
        told: ToldPhase {
            name,
            sentence,
            track,
        },
    }
}

/// What of a story a detection should find, by the files of the rules that come with vedette, without their ending.
///
/// It is about a tenant that nobody has responded in, of the size of the defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroundTruth {
    /// Of each file some rule should raise an alert.
    pub fires: &'static [&'static str],
    /// These look for something near to it, and must not raise an alert about it.
    pub silent: &'static [&'static str],
}

/// When a step is taken: after the begin of its story, and how often in a row at which distance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoryTurn<S> {
    pub(crate) step: S,
    pub(crate) after_us: i64,
    pub(crate) repeats: u32,
    pub(crate) every_us: i64,
}

impl<S> StoryTurn<S> {
    /// A step that is taken once.
    pub(crate) const fn once(step: S, after_us: i64) -> Self {
        Self::again(step, after_us, 1, 0)
    }

    /// A step that is taken several times.
    pub(crate) const fn again(step: S, after_us: i64, repeats: u32, every_us: i64) -> Self {
        Self {
            step,
            after_us,
            repeats,
            every_us,
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ending {
    Succeeded,
    /// It failed, with an AADSTS code where Entra refused.
    Failed,
}

/// What a step came to.
#[derive(Debug, Clone)]
pub(crate) struct Played {
    pub(crate) ending: Ending,
    /// AADSTS code; 0 where Entra did not refuse.
    pub(crate) error_code: u32,
    /// Ids of the records that tell of it.
    pub(crate) record_ids: Vec<String>,
}

impl Played {
    /// A sign-in, or what ends like one.
    pub(crate) fn by(outcome: SignInOutcome, record_ids: Vec<String>) -> Self {
        Self {
            ending: if outcome.succeeded() {
                Ending::Succeeded
            } else {
                Ending::Failed
            },
            error_code: outcome.code(),
            record_ids,
        }
    }

    /// It worked.
    pub(crate) fn done(record_ids: Vec<String>) -> Self {
        Self::by(SignInOutcome::Success, record_ids)
    }

    /// Not possible, and nothing tells of it.
    pub(crate) const fn refused() -> Self {
        Self {
            ending: Ending::Failed,
            error_code: 0,
            record_ids: Vec::new(),
        }
    }
}

/// What an attacker holds, and has got so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holdings {
    /// When the stolen session was issued, if one was stolen.
    pub(crate) session_issued_us: Option<i64>,
    /// The malicious application.
    pub(crate) app_id: String,
    /// Whether the attacker gets into the mailbox.
    pub(crate) has_access: bool,
    /// Messages that reached the victim since the story began.
    pub(crate) mail_arrived: u64,
    /// Those of them that an inbox rule forwarded to the attacker.
    pub(crate) mail_forwarded: u64,
    /// When the last one was forwarded.
    pub(crate) last_forwarded_us: Option<i64>,
}
