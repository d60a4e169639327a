//! All paths of a table's columns, followed together: each value of a record is looked at once.
//!
//! Means the same as [`schemas::path::find_usable`] for each column: see there for the forms of paths.

use schemas::path::{PathStep, is_usable_text, last_resort, steps};
use schemas::tables::Column;

use crate::changes;
use crate::json::{Choice, Kind, Node, View, scan, write_folded};
use crate::values::{Reading, read};

/// Paths as a tree of steps.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    columns: &'static [Column],
    steps: Vec<Step>,
}

/// One step further on paths that have come the same way.
#[derive(Debug, Default)]
struct Step {
    /// Columns whose paths end here.
    ends: Vec<End>,
    /// Columns that want the list here folded.
    folds: Vec<End>,
    /// Steps to a member of an object.
    members: Names,
    /// Steps to a pair of a list by its name.
    pairs: Names,
    /// Steps to an item of a list by its place.
    items: Vec<(usize, usize)>,
}

/// The end of a path.
#[derive(Debug, Clone, Copy)]
struct End {
    column: usize,
    /// Its place among the column's paths.
    order: usize,
    /// True if the column has no other path.
    is_sole: bool,
    /// True if it counts only where it says something.
    is_last_resort: bool,
}

/// Steps by name, found in any letter case.
#[derive(Debug, Default)]
struct Names {
    names: Vec<(&'static str, usize)>,
    /// Places in `names` plus one, by hash; a power of two of them, most of them zero.
    slots: Vec<u16>,
}

impl Names {
    fn slot(&self, name: &str) -> usize {
        let bytes = name.as_bytes();
        // Letters without their case; that other bytes fall together does no harm.
        let byte = |at: usize| usize::from(bytes.get(at).copied().unwrap_or(0) | 0x20);
        let length = bytes.len();
        (length
            .wrapping_mul(31)
            .wrapping_add(byte(0).wrapping_mul(7))
            .wrapping_add(byte(length / 2).wrapping_mul(131))
            .wrapping_add(byte(length.wrapping_sub(2)).wrapping_mul(17)))
            & (self.slots.len() - 1)
    }

    /// The name and step of a key.
    fn find(&self, key: &str) -> Option<(&'static str, usize)> {
        if self.names.is_empty() {
            return None;
        }
        let mut slot = self.slot(key);
        loop {
            let place = usize::from(self.slots[slot]).checked_sub(1)?;
            let (name, step) = self.names[place];
            if name.eq_ignore_ascii_case(key) {
                return Some((name, step));
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    fn add(&mut self, name: &'static str, step: usize) {
        self.names.push((name, step));
        self.slots = vec![0; (self.names.len() * 4).next_power_of_two()];
        for (place, (name, _)) in (1..).zip(&self.names) {
            let mut slot = self.slot(name);
            while self.slots[slot] != 0 {
                slot = (slot + 1) & (self.slots.len() - 1);
            }
            self.slots[slot] = place;
        }
    }
}

impl Paths {
    pub(crate) fn new(columns: &'static [Column]) -> Self {
        let mut paths = Self {
            columns,
            steps: vec![Step::default()],
        };
        for (column, definition) in columns.iter().enumerate() {
            for (order, path) in definition.paths.iter().enumerate() {
                let (path, is_last_resort) = last_resort(path);
                let end = End {
                    column,
                    order,
                    is_sole: definition.paths.len() == 1 && !is_last_resort,
                    is_last_resort,
                };
                paths.add(path, end);
            }
        }
        paths
    }

    /// The columns, in order.
    pub(crate) fn columns(&self) -> &'static [Column] {
        self.columns
    }

    fn add(&mut self, path: &'static str, end: End) {
        let mut step = 0;
        for next in steps(path) {
            step = match next {
                PathStep::Fold => {
                    self.steps[step].folds.push(end);
                    return;
                }
                PathStep::Named(name) => self.step_to(step, name, |step| &mut step.pairs),
                PathStep::Member(name) => {
                    let next = self.step_to(step, name, |step| &mut step.members);
                    if let Ok(item) = name.parse() {
                        let items = &mut self.steps[step].items;
                        if !items.contains(&(item, next)) {
                            items.push((item, next));
                        }
                    }
                    next
                }
            };
        }
        self.steps[step].ends.push(end);
    }

    fn step_to(
        &mut self,
        from: usize,
        name: &'static str,
        names: impl Fn(&mut Step) -> &mut Names,
    ) -> usize {
        let next = self.steps.len();
        let names = names(&mut self.steps[from]);
        if let Some((_, step)) = names.find(name) {
            return step;
        }
        names.add(name, next);
        self.steps.push(Step::default());
        next
    }
}

/// Where a column's value stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    order: usize,
    is_good: bool,
    document: usize,
    node: u32,
    is_folded: bool,
}

/// What is found in a record, kept between records so that their memory is.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    nodes: Vec<Node>,
    /// JSON that stood inside strings.
    opened: Vec<(String, Vec<Node>)>,
    /// For each step, the value that it leads to.
    choices: Vec<Choice>,
    places: Vec<Option<Place>>,
}

impl Finder {
    /// Finds the values of all columns in `record`; false if it is no JSON, and then there are none.
    pub(crate) fn find(&mut self, paths: &Paths, record: &str) -> bool {
        self.opened.clear();
        self.choices.clear();
        self.choices.resize(paths.steps.len(), Choice::default());
        self.places.clear();
        self.places.resize(paths.columns.len(), None);
        let is_json = scan(record, &mut self.nodes).is_ok();
        if is_json {
            self.visit(paths, record, 0, 0, 0);
        }
        is_json
    }

    fn view<'a>(&'a self, record: &'a str, document: usize) -> View<'a> {
        match document.checked_sub(1).and_then(|at| self.opened.get(at)) {
            Some((text, nodes)) => View::new(text, nodes),
            None => View::new(record, &self.nodes),
        }
    }

    /// Follows the paths that lead through `step` to the value at `node`.
    fn visit(&mut self, paths: &Paths, record: &str, step: usize, document: usize, node: u32) {
        let kind = self.view(record, document).kind(node);
        let here = &paths.steps[step];
        if kind != Kind::Null {
            self.end(paths, record, &here.ends, (document, node), false);
        }
        match kind {
            Kind::Plain | Kind::Escaped => self.open(paths, record, step, document, node),
            Kind::Object | Kind::Array => self.descend(paths, record, step, document, node),
            _ => {}
        }
    }

    fn end(
        &mut self,
        paths: &Paths,
        record: &str,
        ends: &[End],
        (document, node): (usize, u32),
        is_folded: bool,
    ) {
        for end in ends {
            let kind = paths.columns[end.column].kind;
            let is_good = end.is_sole || self.is_usable(record, kind, document, node);
            if end.is_last_resort && !(is_good && self.is_scalar(record, document, node)) {
                continue;
            }
            let place = &mut self.places[end.column];
            let is_better = place.is_none_or(|held| {
                (is_good && !held.is_good) || (is_good == held.is_good && end.order < held.order)
            });
            if is_better {
                *place = Some(Place {
                    order: end.order,
                    is_good,
                    document,
                    node,
                    is_folded,
                });
            }
        }
    }

    /// As [`schemas::path::is_usable`].
    fn is_usable(
        &self,
        record: &str,
        kind: schemas::tables::Kind,
        document: usize,
        node: u32,
    ) -> bool {
        let view = self.view(record, document);
        match view.kind(node) {
            Kind::Plain => is_usable_text(view.written(node), kind),
            Kind::Escaped => is_usable_text(&view.string(node).unwrap_or_default(), kind),
            _ => true,
        }
    }

    fn is_scalar(&self, record: &str, document: usize, node: u32) -> bool {
        !matches!(
            self.view(record, document).kind(node),
            Kind::Object | Kind::Array
        )
    }

    /// JSON inside a string, if it is an object or a list and a path leads into it.
    fn open(&mut self, paths: &Paths, record: &str, step: usize, document: usize, node: u32) {
        let here = &paths.steps[step];
        if here.folds.is_empty() && here.members.names.is_empty() && here.pairs.names.is_empty() {
            return;
        }
        let text = self.view(record, document).string(node).unwrap_or_default();
        let start = text.trim_start();
        if !start.starts_with(['{', '[']) {
            return;
        }
        let text = start.to_owned();
        let mut nodes = Vec::new();
        if scan(&text, &mut nodes).is_ok() {
            self.opened.push((text, nodes));
            self.descend(paths, record, step, self.opened.len(), 0);
        }
    }

    fn descend(&mut self, paths: &Paths, record: &str, step: usize, document: usize, node: u32) {
        let here = &paths.steps[step];
        let mut choices = std::mem::take(&mut self.choices);
        let view = self.view(record, document);
        let is_foldable = match view.kind(node) {
            Kind::Object => {
                choose_members(here, view, node, &mut choices);
                true
            }
            _ => choose_items(here, view, node, &mut choices),
        };
        self.choices = choices;
        if is_foldable {
            self.end(paths, record, &here.folds, (document, node), true);
        }
        let steps = here.members.names.iter().chain(&here.pairs.names);
        for (_, next) in steps {
            if let Some(value) = self.choices[*next].value() {
                self.visit(paths, record, *next, document, value);
            }
        }
    }

    /// The value of a column as its kind: none if there is none, an error if it cannot be one.
    pub(crate) fn read<'a>(
        &'a self,
        record: &'a str,
        at: usize,
        column: &Column,
    ) -> Result<Reading<'a>, Unreadable> {
        let Some(place) = self.places[at] else {
            return Ok(Reading::Null);
        };
        let view = self.view(record, place.document);
        if let Some(side) = column.changes {
            let targets = serde_json::from_str(&view.text(place.node)).ok();
            let values = targets.and_then(|targets| changes::of(&targets, side));
            return Ok(values.map_or(Reading::Null, |values| Reading::Text(values.into())));
        }
        if !place.is_folded {
            let coded = || {
                let name = view.string(place.node)?;
                schemas::tables::code_of(column.name, &name).map(Reading::Integer)
            };
            return read(column.kind, view, place.node)
                .or_else(coded)
                .ok_or(Unreadable);
        }
        let mut folded = String::new();
        write_folded(view, place.node, &mut folded);
        match column.kind {
            schemas::tables::Kind::Json | schemas::tables::Kind::Text => {
                Ok(Reading::Text(folded.into()))
            }
            _ => Err(Unreadable),
        }
    }
}

/// A value that is not of its column's kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unreadable;

fn choose_members(here: &Step, view: View<'_>, object: u32, choices: &mut [Choice]) {
    if here.members.names.is_empty() && here.pairs.names.is_empty() {
        return;
    }
    for (key, value) in view.members(object) {
        let name = match view.kind(key) {
            Kind::Plain => view.written(key).into(),
            _ => view.string(key).unwrap_or_default(),
        };
        // Some exports have folded lists of pairs already.
        for names in [&here.members, &here.pairs] {
            if let Some((wanted, step)) = names.find(&name) {
                choices[step].offer(view, key, value, wanted);
            }
        }
    }
}

/// Chooses items by place and pairs by name; true if a pair has a name.
fn choose_items(here: &Step, view: View<'_>, list: u32, choices: &mut [Choice]) -> bool {
    for (place, step) in &here.items {
        if let Some(item) = view.items(list).nth(*place) {
            choices[*step] = Choice::of(item);
        }
    }
    let mut is_foldable = false;
    if here.pairs.names.is_empty() && here.folds.is_empty() {
        return is_foldable;
    }
    for pair in view.items(list) {
        let Some(name) = view.name_of(pair) else {
            continue;
        };
        is_foldable = true;
        if let Some((_, step)) = here.pairs.find(&name)
            && choices[step].value().is_none()
        {
            choices[step] = Choice::of(view.value_of(pair));
        }
    }
    is_foldable
}
