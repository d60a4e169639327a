//! The modifiers of one field: which can stand together, and what each asks for.
//!
//! Source: Sigma 2.1.0, appendix "modifiers"; what is not honoured is refused, never guessed.

use rsigma_parser::Modifier;

use crate::error::RuleError;
use crate::expression::{Fold, Order, Position, TimePart};

/// The modifiers of one field, in the roles that they play.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "Sigma's modifiers are independent flags"
)]
pub(super) struct Modifiers {
    pub(super) position: Position,
    pub(super) order: Option<Order>,
    pub(super) part: Option<TimePart>,
    pub(super) is_all: bool,
    pub(super) is_regex: bool,
    pub(super) is_network: bool,
    pub(super) is_negated: bool,
    pub(super) is_cased: bool,
    pub(super) is_windash: bool,
    pub(super) regex_flags: [bool; 3],
    pub(super) wide: Option<Wide>,
    pub(super) base64: Option<Base64>,
}

/// How text is widened to UTF-16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wide {
    LittleEndian,
    BigEndian,
    Marked,
}

/// How bytes are looked for in base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base64 {
    Whole,
    Offsets,
}

impl Modifiers {
    /// Sorts the modifiers of a field; an error if some contradict each other.
    pub(super) fn of(list: &[Modifier]) -> Result<Self, RuleError> {
        let mut found = Self {
            position: Position::Whole,
            order: None,
            part: None,
            is_all: false,
            is_regex: false,
            is_network: false,
            is_negated: false,
            is_cased: false,
            is_windash: false,
            regex_flags: [false; 3],
            wide: None,
            base64: None,
        };
        let (mut operators, mut parts) = (0, 0);
        for modifier in list {
            operators += u8::from(found.add(*modifier)?);
            parts += u8::from(time_part(*modifier).is_some());
        }
        let is_number = found.order.is_some() || found.part.is_some();
        let is_text = !is_number && !found.is_regex && !found.is_network;
        let is_transformed = found.wide.is_some() || found.base64.is_some() || found.is_windash;
        if operators > 1
            || parts > 1
            || (found.part.is_some() && operators > 0 && found.order.is_none())
            || (is_transformed && !is_text)
            || (found.regex_flags.contains(&true) && !found.is_regex)
            || (found.is_windash && (found.wide.is_some() || found.base64.is_some()))
        {
            return Err(RuleError::Modifiers {
                modifiers: names(list),
            });
        }
        Ok(found)
    }

    /// Takes a modifier in; true if it is an operator, of which a field may have one.
    fn add(&mut self, modifier: Modifier) -> Result<bool, RuleError> {
        match modifier {
            Modifier::Contains => self.position = Position::Inside,
            Modifier::StartsWith => self.position = Position::Start,
            Modifier::EndsWith => self.position = Position::End,
            Modifier::Gt => self.order = Some(Order::Greater),
            Modifier::Gte => self.order = Some(Order::GreaterOrEqual),
            Modifier::Lt => self.order = Some(Order::Less),
            Modifier::Lte => self.order = Some(Order::LessOrEqual),
            Modifier::Re => self.is_regex = true,
            Modifier::Cidr => self.is_network = true,
            _ => return self.add_flag(modifier).map(|()| false),
        }
        Ok(true)
    }

    fn add_flag(&mut self, modifier: Modifier) -> Result<(), RuleError> {
        match modifier {
            Modifier::All => self.is_all = true,
            Modifier::Neq => self.is_negated = true,
            Modifier::Cased => self.is_cased = true,
            Modifier::WindAsh => self.is_windash = true,
            Modifier::IgnoreCase => self.regex_flags[0] = true,
            Modifier::Multiline => self.regex_flags[1] = true,
            Modifier::DotAll => self.regex_flags[2] = true,
            Modifier::Wide => self.wide = Some(Wide::LittleEndian),
            Modifier::Utf16be => self.wide = Some(Wide::BigEndian),
            Modifier::Utf16 => self.wide = Some(Wide::Marked),
            Modifier::Base64 => self.base64 = Some(Base64::Whole),
            Modifier::Base64Offset => self.base64 = Some(Base64::Offsets),
            other => match time_part(other) {
                Some(part) => self.part = Some(part),
                None => {
                    return Err(RuleError::Modifiers {
                        modifiers: name(other),
                    });
                }
            },
        }
        Ok(())
    }

    /// How text compares where the field itself compares as `natural`.
    pub(super) fn fold(&self, natural: Fold) -> Fold {
        if self.is_cased { Fold::Exact } else { natural }
    }
}

fn time_part(modifier: Modifier) -> Option<TimePart> {
    match modifier {
        Modifier::Minute => Some(TimePart::Minute),
        Modifier::Hour => Some(TimePart::Hour),
        Modifier::Day => Some(TimePart::Day),
        Modifier::Week => Some(TimePart::Week),
        Modifier::Month => Some(TimePart::Month),
        Modifier::Year => Some(TimePart::Year),
        _ => None,
    }
}

/// A modifier as rules write it.
pub(crate) fn name(modifier: Modifier) -> String {
    match serde_json::to_value(modifier) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{modifier:?}").to_lowercase(),
    }
}

/// Modifiers as rules write them.
pub(super) fn names(list: &[Modifier]) -> String {
    list.iter()
        .map(|modifier| name(*modifier))
        .collect::<Vec<_>>()
        .join("|")
}
