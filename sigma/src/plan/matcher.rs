//! All questions about one field, asked of a value at once.
//!
//! A value is folded once for each way of comparing, looked up in one table of whole words and in one for each
//! length of prefix and suffix, and scanned once for all words that may stand inside it. So the cost of a value
//! hardly depends on how many rules ask about it.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use ahash::RandomState;
use aho_corasick::AhoCorasick;
use regex::{Regex, RegexSet, RegexSetBuilder};

use crate::error::RuleError;
use crate::expression::regex_text::{REGEX_BYTES_MAX, expression};
use crate::expression::{Fold, Leaf, Network, Order, Question, TimePart};

/// Questions by the folded word that answers them; a fast hash, because every distinct value is looked up.
type Words = HashMap<String, Vec<usize>, RandomState>;

/// The questions about one field, by their numbers.
#[derive(Debug, Default)]
pub struct Matcher {
    forms: Vec<Form>,
    networks: Vec<(Network, usize)>,
    numbers: Vec<(Order, f64, usize)>,
    time_parts: Vec<(TimePart, Order, f64, usize)>,
    truths: Vec<(bool, usize)>,
    present: Vec<usize>,
    absent: Vec<usize>,
}

/// How a value is folded, and what is asked of it then.
#[derive(Debug)]
struct Form {
    fold: Fold,
    /// False if blanks and periods at the ends count, because only a part of the value is asked for.
    is_whole: bool,
    words: Words,
    /// Lengths of the shortest and the longest of the words, in bytes.
    lengths: RangeInclusive<usize>,
    starts: BTreeMap<usize, Words>,
    ends: BTreeMap<usize, Words>,
    inside: BTreeMap<String, Vec<usize>>,
    /// True if nothing but whole words is asked for, and folding keeps the length of ASCII.
    is_words_only: bool,
    /// Over the words of `inside`, in their order.
    automaton: Option<AhoCorasick>,
    /// The numbers of those words.
    inside_numbers: Vec<Vec<usize>>,
    patterns: Vec<(String, usize)>,
    expressions: Option<Expressions>,
}

/// Regular expressions, run together if they fit into one program.
#[derive(Debug)]
enum Expressions {
    Together(RegexSet),
    Apart(Vec<Regex>),
}

impl Expressions {
    fn new(patterns: &[(String, usize)]) -> Result<Self, RuleError> {
        let patterns: Vec<&str> = patterns
            .iter()
            .map(|(pattern, _)| pattern.as_str())
            .collect();
        if let Ok(set) = RegexSetBuilder::new(&patterns)
            .size_limit(REGEX_BYTES_MAX * 16)
            .build()
        {
            return Ok(Self::Together(set));
        }
        let apart = patterns.iter().map(|pattern| expression(pattern));
        apart
            .collect::<Result<_, _>>()
            .map(Self::Apart)
            .map_err(|cause| RuleError::Regex {
                cause: Box::new(cause),
            })
    }

    fn matches(&self, text: &str, found: &mut dyn FnMut(usize)) {
        match self {
            Self::Together(set) => set.matches(text).iter().for_each(found),
            Self::Apart(all) => all
                .iter()
                .enumerate()
                .filter(|(_, expression)| expression.is_match(text))
                .for_each(|(at, _)| found(at)),
        }
    }
}

impl Matcher {
    /// Gathers numbered questions.
    ///
    /// # Errors
    /// [`RuleError`] if they do not fit into an automaton.
    pub fn new<'a>(
        questions: impl IntoIterator<Item = (usize, &'a Question)>,
    ) -> Result<Self, RuleError> {
        let mut matcher = Self::default();
        for (number, question) in questions {
            matcher.add(number, question);
        }
        for form in &mut matcher.forms {
            form.finish()?;
        }
        Ok(matcher)
    }

    fn add(&mut self, number: usize, question: &Question) {
        let push = |map: &mut Words, word: &str| {
            map.entry(word.to_owned()).or_default().push(number);
        };
        match question {
            Question::OneOf(fold, words) => {
                let form = self.form(*fold, true);
                for word in words {
                    push(&mut form.words, word);
                }
            }
            Question::StartsWith(fold, start) => {
                let form = self.form(*fold, true);
                push(form.starts.entry(start.len()).or_default(), start);
            }
            Question::EndsWith(fold, end) => {
                let form = self.form(*fold, true);
                push(form.ends.entry(end.len()).or_default(), end);
            }
            Question::ContainsAny(fold, words) => {
                let form = self.form(*fold, false);
                for word in words {
                    form.inside.entry(word.clone()).or_default().push(number);
                }
            }
            Question::Matches(fold, pattern) => {
                let form = self.form(*fold, true);
                form.patterns.push((pattern.clone(), number));
            }
            Question::In(network) => self.networks.push((*network, number)),
            Question::Compares(order, right) => self.numbers.push((*order, right.get(), number)),
            Question::Part(part, order, right) => {
                self.time_parts.push((*part, *order, right.get(), number));
            }
            Question::Is(expected) => self.truths.push((*expected, number)),
            Question::Null => self.absent.push(number),
            Question::Exists => self.present.push(number),
        }
    }

    fn form(&mut self, fold: Fold, is_whole: bool) -> &mut Form {
        // Only names of operations lose something at their ends.
        let is_whole = is_whole || fold != Fold::Operation;
        let known = self
            .forms
            .iter()
            .position(|form| form.fold == fold && form.is_whole == is_whole);
        let at = known.unwrap_or_else(|| {
            self.forms.push(Form::new(fold, is_whole));
            self.forms.len() - 1
        });
        &mut self.forms[at]
    }

    /// True if every question is whether some words stand somewhere in a text.
    pub(crate) fn is_search(&self) -> bool {
        let is_search = |form: &Form| {
            form.words.is_empty()
                && form.starts.is_empty()
                && form.ends.is_empty()
                && form.patterns.is_empty()
        };
        self.forms.iter().all(is_search) && self.networks.is_empty()
    }

    /// The questions that an absent field answers with yes.
    pub(crate) fn of_absent(&self) -> &[usize] {
        &self.absent
    }

    /// Calls `found` with every question that the value answers with yes, some more than once.
    pub fn ask(&self, leaf: &Leaf<'_>, found: &mut dyn FnMut(usize)) {
        self.present.iter().copied().for_each(&mut *found);
        if !self.truths.is_empty()
            && let Some(truth) = leaf.truth()
        {
            let same = self
                .truths
                .iter()
                .filter(|(expected, _)| *expected == truth);
            same.for_each(|(_, number)| found(*number));
        }
        if !self.numbers.is_empty()
            && let Some(left) = leaf.number()
        {
            for (order, right, number) in &self.numbers {
                if order.holds(left, *right) {
                    found(*number);
                }
            }
        }
        if !self.time_parts.is_empty()
            && let Some(time_us) = leaf.time_us()
        {
            for (part, order, right, number) in &self.time_parts {
                if part
                    .of(time_us)
                    .is_some_and(|left| order.holds(left.into(), *right))
                {
                    found(*number);
                }
            }
        }
        if self.forms.is_empty() && self.networks.is_empty() {
            return;
        }
        let text = leaf.text();
        for form in &self.forms {
            form.ask(&text, found);
        }
        if !self.networks.is_empty()
            && let Ok(address) = text.parse::<IpAddr>()
        {
            for (network, number) in &self.networks {
                if network.contains(address) {
                    found(*number);
                }
            }
        }
    }

    /// Like [`Self::ask`] for all values of a field; none are an absent field.
    pub(crate) fn ask_all(&self, leaves: &[Leaf<'_>], found: &mut dyn FnMut(usize)) {
        if leaves.is_empty() {
            self.absent.iter().copied().for_each(found);
        } else {
            for leaf in leaves {
                self.ask(leaf, &mut *found);
            }
        }
    }
}

impl Form {
    fn new(fold: Fold, is_whole: bool) -> Self {
        Self {
            fold,
            is_whole,
            words: Words::default(),
            lengths: 0..=0,
            starts: BTreeMap::new(),
            ends: BTreeMap::new(),
            inside: BTreeMap::new(),
            is_words_only: false,
            automaton: None,
            inside_numbers: Vec::new(),
            patterns: Vec::new(),
            expressions: None,
        }
    }

    fn finish(&mut self) -> Result<(), RuleError> {
        let lengths = self.words.keys().map(String::len);
        self.lengths = lengths.clone().min().unwrap_or(1)..=lengths.max().unwrap_or(0);
        // Other ways of folding than to lower case change lengths.
        self.is_words_only = self.fold != Fold::Operation
            && self.starts.is_empty()
            && self.ends.is_empty()
            && self.inside.is_empty()
            && self.patterns.is_empty();
        if !self.inside.is_empty() {
            let automaton = AhoCorasick::new(self.inside.keys()).map_err(|_| RuleError::Value {
                value: self.inside.keys().cloned().collect::<Vec<_>>().join(", "),
            })?;
            self.automaton = Some(automaton);
            self.inside_numbers = self.inside.values().cloned().collect();
        }
        if !self.patterns.is_empty() {
            self.expressions = Some(Expressions::new(&self.patterns)?);
        }
        Ok(())
    }

    fn ask(&self, text: &str, found: &mut dyn FnMut(usize)) {
        if self.is_words_only && !self.lengths.contains(&text.len()) && text.is_ascii() {
            return;
        }
        let text = if self.is_whole {
            self.fold.apply(text)
        } else {
            self.fold.apply_inside(text)
        };
        let mut all = |numbers: &Vec<usize>| numbers.iter().copied().for_each(&mut *found);
        if let Some(numbers) = self.words.get(text.as_ref()) {
            all(numbers);
        }
        for (length, starts) in &self.starts {
            if let Some(numbers) = text.get(..*length).and_then(|start| starts.get(start)) {
                all(numbers);
            }
        }
        for (length, ends) in &self.ends {
            let end = text
                .len()
                .checked_sub(*length)
                .and_then(|at| text.get(at..));
            if let Some(numbers) = end.and_then(|end| ends.get(end)) {
                all(numbers);
            }
        }
        if let Some(automaton) = &self.automaton {
            self.scan(automaton, &text, found);
        }
        if let Some(expressions) = &self.expressions {
            expressions.matches(&text, &mut |at| found(self.patterns[at].1));
        }
    }

    fn scan(&self, automaton: &AhoCorasick, text: &str, found: &mut dyn FnMut(usize)) {
        // Most values hold none of the words, and saying so is far faster than listing them.
        if !automaton.is_match(text) {
            return;
        }
        for word in automaton.find_overlapping_iter(text) {
            let numbers = &self.inside_numbers[word.pattern().as_usize()];
            numbers.iter().copied().for_each(&mut *found);
        }
    }
}

/// True if the values answer the predicate with yes: the slow way, for tests and explanations.
/// A matcher of questions that were checked one by one.
pub(super) fn matcher_of(questions: &[(usize, Question)]) -> Matcher {
    let numbered = questions
        .iter()
        .map(|(number, question)| (*number, question));
    // Each passed alone; should all words of a field not fit into one automaton, none of them answers yes.
    Matcher::new(numbered).unwrap_or_else(|refusal| {
        tracing::error!(%refusal, "questions about one field do not fit together");
        Matcher::default()
    })
}

#[cfg(test)]
pub(crate) fn holds(predicate: &crate::expression::Predicate, leaves: &[Leaf<'_>]) -> bool {
    use crate::expression::Predicate;
    match predicate {
        Predicate::One(question) => {
            let mut is_found = false;
            Matcher::new([(0, question)]).is_ok_and(|matcher| {
                matcher.ask_all(leaves, &mut |_| is_found = true);
                is_found
            })
        }
        Predicate::Any(members) => members.iter().any(|member| holds(member, leaves)),
        Predicate::All(members) => members.iter().all(|member| holds(member, leaves)),
        Predicate::Not(inner) => !leaves.is_empty() && !holds(inner, leaves),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::Matcher;
    use crate::expression::{Fold, Leaf, Network, Number, Order, Question};

    fn set(words: &[&str]) -> BTreeSet<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn asks_all_questions_at_once() {
        let questions = [
            Question::OneOf(Fold::Lower, set(&["ada", "eve"])),
            Question::OneOf(Fold::Exact, set(&["Ada"])),
            Question::ContainsAny(Fold::Lower, set(&["da", "d"])),
            Question::StartsWith(Fold::Lower, "ad".to_owned()),
            Question::StartsWith(Fold::Lower, String::new()),
            Question::EndsWith(Fold::Lower, "DA".to_lowercase()),
            Question::Matches(Fold::Exact, "^A.a$".to_owned()),
            Question::Exists,
            Question::Null,
            Question::In(Network::parse("10.0.0.0/8").unwrap()),
            Question::Compares(Order::Greater, Number::new(9.0).unwrap()),
            Question::Is(true),
            Question::OneOf(Fold::Operation, set(&["add user"])),
            Question::EndsWith(Fold::Operation, "user".to_owned()),
            Question::ContainsAny(Fold::Operation, set(&["user."])),
            Question::ContainsAny(Fold::Lower, set(&["é"])),
        ];
        let matcher = Matcher::new(questions.iter().enumerate()).unwrap();
        let check = |leaf: Leaf<'_>, expected: &[usize]| {
            let mut found = HashSet::new();
            matcher.ask(&leaf, &mut |number| {
                found.insert(number);
            });
            assert_eq!(found, expected.iter().copied().collect(), "{leaf:?}");
        };
        check(Leaf::Text("Ada"), &[0, 1, 2, 3, 4, 5, 6, 7]);
        check(Leaf::Text("EVE"), &[0, 4, 7]);
        check(Leaf::Text("10.1.2.3"), &[4, 7, 9]);
        check(Leaf::Text("Add  user."), &[2, 3, 4, 7, 12, 13, 14]);
        check(Leaf::Text("É"), &[4, 7, 15]);
        check(Leaf::Integer(10), &[4, 7, 10]);
        check(Leaf::Boolean(true), &[4, 7, 11]);
        let mut absent = Vec::new();
        matcher.ask_all(&[], &mut |number| absent.push(number));
        assert_eq!(absent, [8]);
    }
}
