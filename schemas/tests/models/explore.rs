//! Explores a model, says how much there was, and whether its properties hold.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::hash::Hash;
use std::time::Instant;

use schemas::invariants::{Invariant, Predicate};
use stateright::{Checker, Expectation, HasDiscoveries, Model, Property};

/// A state that remembers which predicate a step did not fulfil.
pub(crate) trait Breached {
    /// The first that did not hold on the way here.
    fn breach(&self) -> Option<Invariant>;
}

/// A model that tells faults from what goes on by itself.
pub(crate) trait Faulty: Model {
    /// Whether a step is something that goes wrong, or that a person does.
    fn is_fault(step: &Self::Action) -> bool;

    /// Whether nothing is left that would go on by itself: what is still missing now is missing for ever.
    fn is_settled(&self, state: &Self::State) -> bool {
        let mut steps = Vec::new();
        self.actions(state, &mut steps);
        steps.iter().all(Self::is_fault)
    }
}

/// The first breach: the one so far, or that of what is about to be done.
pub(crate) fn weigh<P: Predicate>(breach: &mut Option<Invariant>, what: &P) {
    if breach.is_none() && !what.holds() {
        *breach = Some(P::INVARIANT);
    }
}

/// That no step breaks an invariant.
pub(crate) fn never<P: Predicate, M: Model>() -> Property<M>
where
    M::State: Breached,
{
    Property::always(P::INVARIANT.id(), |_, state: &M::State| {
        state.breach() != Some(P::INVARIANT)
    })
}

/// Explores everything: what must hold holds, and what must be possible is.
pub(crate) fn holds<M>(name: &str, model: M)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let started = Instant::now();
    // Not before the end, although everything that must be possible was found.
    let end = HasDiscoveries::AnyFailures;
    let checker = model
        .checker()
        .threads(2)
        .finish_when(end)
        .spawn_bfs()
        .join();
    let names = |expectation: &Expectation| -> Vec<&'static str> {
        let properties = checker.model().properties();
        let of = properties
            .into_iter()
            .filter(|property| property.expectation == *expectation);
        of.map(|property| property.name).collect()
    };
    println!(
        "{name}: {} states, {} steps deep, {:.1} s; always {}; possible {}",
        checker.unique_state_count(),
        checker.max_depth(),
        started.elapsed().as_secs_f64(),
        names(&Expectation::Always).join(", "),
        names(&Expectation::Sometimes).join(", "),
    );
    checker.assert_properties();
}

/// Explores a model that is broken on purpose, until a property catches it.
pub(crate) fn is_caught<M>(name: &str, model: M, by: &'static str)
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let end = HasDiscoveries::AllOf(BTreeSet::from([by]));
    let checker = model
        .checker()
        .threads(1)
        .finish_when(end)
        .spawn_bfs()
        .join();
    let Some(path) = checker.discovery(by) else {
        panic!(
            "{name}: {by} does not catch it in {} states",
            checker.unique_state_count()
        );
    };
    let steps: Vec<String> = path
        .into_actions()
        .iter()
        .map(|step| format!("{step:?}"))
        .collect();
    println!("{name}: caught by {by} after {}", steps.join(", "));
}
