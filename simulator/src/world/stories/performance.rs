//! A story that happens: who is who in it, and what has become of it so far.

use super::cast::{Cast, Opening};
use super::story::{Ending, Holdings, Played, Story, ToldPhase, Track};
use crate::world::scene::Scene;

/// A step that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Happened {
    /// Name of its phase.
    pub(crate) what: &'static str,
    pub(crate) at_us: i64,
    pub(crate) ending: Ending,
    /// AADSTS code; 0 where Entra did not refuse.
    pub(crate) error_code: u32,
    /// Ids of the records that tell of it.
    pub(crate) record_ids: Vec<String>,
}

/// When which step of a story is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cue {
    /// Place of the phase among the story's phases.
    phase: usize,
    serial: u32,
}

/// A story whatever its steps are.
trait AnyStory: Send {
    fn phase(&self, place: usize) -> Option<ToldPhase>;
    fn play(&mut self, scene: &mut Scene, cast: &Cast, cue: Cue, at_us: i64) -> Option<Played>;
    fn holdings(&self, scene: &Scene, cast: &Cast) -> Option<Holdings>;
}

impl<S: Story> AnyStory for S {
    fn phase(&self, place: usize) -> Option<ToldPhase> {
        S::PHASES.get(place).map(|phase| phase.told)
    }

    fn play(&mut self, scene: &mut Scene, cast: &Cast, cue: Cue, at_us: i64) -> Option<Played> {
        let step = S::PHASES.get(cue.phase)?.step;
        Story::play(self, scene, cast, step, cue.serial, at_us)
    }

    fn holdings(&self, scene: &Scene, cast: &Cast) -> Option<Holdings> {
        Story::holdings(self, scene, cast)
    }
}

/// A story that happens.
pub(crate) struct Performance {
    pub(crate) cast: Cast,
    pub(crate) steps: Vec<Happened>,
    /// What the attacker tried again and again; none in a story in which nothing is.
    pub(crate) attempts: Option<Vec<Happened>>,
    script: Box<dyn AnyStory>,
}

/// A story that is about to happen, with its cues and their times.
pub(crate) struct OpenedStory {
    pub(crate) performance: Performance,
    pub(crate) cues: Vec<(i64, Cue)>,
}

impl Performance {
    /// Casts a story into a day; what would come after its end is not planned.
    pub(crate) fn open<S: Story>(opening: &Opening<'_>) -> OpenedStory {
        let cast = S::cast(opening);
        let story = S::begin(&cast, opening);
        let mut cues = Vec::new();
        for turn in story.turns(&cast, opening) {
            let known = S::PHASES.iter().position(|phase| phase.step == turn.step);
            let phase = known.unwrap_or(S::PHASES.len());
            for (serial, distance) in (0..turn.repeats).zip(0_i64..) {
                let at_us = cast.begins_us + turn.after_us + distance * turn.every_us;
                if at_us < opening.end_us {
                    cues.push((at_us, Cue { phase, serial }));
                }
            }
        }
        let mut phases = S::PHASES.iter();
        let tries = phases.any(|phase| phase.told.track == Track::Attempt);
        let performance = Self {
            cast,
            steps: Vec::new(),
            attempts: tries.then(Vec::new),
            script: Box::new(story),
        };
        OpenedStory { performance, cues }
    }

    /// Takes a step of it.
    pub(crate) fn play(&mut self, scene: &mut Scene, cue: Cue, at_us: i64) {
        let Some(phase) = self.script.phase(cue.phase) else {
            return;
        };
        let Some(played) = self.script.play(scene, &self.cast, cue, at_us) else {
            return;
        };
        let happened = Happened {
            what: phase.name,
            at_us,
            ending: played.ending,
            error_code: played.error_code,
            record_ids: played.record_ids,
        };
        match phase.track {
            Track::Step => self.steps.push(happened),
            Track::Attempt => self.attempts.get_or_insert_default().push(happened),
            Track::Untold => {}
        }
    }

    /// What the attacker holds, where the story can say so.
    pub(crate) fn holdings(&self, scene: &Scene) -> Option<Holdings> {
        self.script.holdings(scene, &self.cast)
    }
}
