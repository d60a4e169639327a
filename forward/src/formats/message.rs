//! What a person reads in a chat or a mail: a title and a text, by a template. Pure.
//!
//! A template is `MiniJinja` (<https://docs.rs/minijinja/2/minijinja/syntax/>) over the document, and makes plain text: the
//! destination puts it where nothing is read as markup. What a tenant wrote is a value of the template and never part of
//! it. A template has a limited number of steps and bytes; it can load nothing and call nothing but filters.

use std::fmt::Write as _;
use std::io;

use minijinja::{Environment, UndefinedBehavior};

use super::inert;
use crate::contract::Notice;

/// The title, unless the configuration has another one.
pub const TITLE: &str = "{{ severity | upper }}: {{ title }}";

/// The text, unless the configuration has another one.
pub const TEXT: &str = "\
{%- if description %}{{ description }}
{% endif -%}
{%- if entities.user %}User: {{ entities.user.name or entities.user.id }}
{% endif -%}
{%- if entities.ip %}Address: {{ entities.ip.address }}
{% endif -%}
{%- if event_count %}Events: {{ event_count }}, from {{ first_event_time or '?' }} to {{ last_event_time or '?' }}
{% endif -%}
{%- if label %}Rule: {{ label }}, {{ severity_reason }}
{% else %}{{ severity_reason }}
{% endif -%}
{%- if techniques %}ATT&CK: {{ techniques | join(', ') }}
{% endif -%}
State: {{ state }}
{% if why or detail %}{{ why or detail }}
{% endif -%}
{%- if range %}{{ range.subject }}
{% endif -%}
{%- if expires_time %}Ends: {{ expires_time }}
{% endif -%}
{%- if check_first %}
Check first:
{% for step in check_first %}- {{ step }}
{% endfor -%}
{% endif -%}
{%- if blind_spots %}
What the rule cannot see:
{% for spot in blind_spots %}- {{ spot }}
{% endfor -%}
{% endif -%}";

/// Most steps of a template: the one above needs some hundred.
const STEPS_MAX: u64 = 50_000;

/// Most bytes that a template may make: a document is bounded, and a loop could repeat it.
const BYTES_MAX: usize = 256 * 1024;

/// Most characters of a title.
const TITLE_CHARACTERS_MAX: usize = 150;

/// What a person reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub title: String,
    /// Lines, in which nothing steers.
    pub text: String,
}

/// A title and a text to be filled in.
#[derive(Debug)]
pub struct MessageTemplate(Environment<'static>);

impl MessageTemplate {
    /// A template of these texts; an empty one is [`TITLE`] or [`TEXT`].
    ///
    /// # Errors
    /// What is wrong with it, and in which line.
    pub fn new(title: &str, text: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        environment.set_fuel(Some(STEPS_MAX));
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        for (name, own, given) in [("title", TITLE, title), ("text", TEXT, text)] {
            let source = if given.is_empty() { own } else { given };
            environment
                .add_template_owned(name, source.to_owned())
                .map_err(|error| format!("the {name}'s template cannot be read: {error}"))?;
        }
        Ok(Self(environment))
    }

    /// What a notice says. A template that fails says so, above the notice's own title and text.
    pub fn message(&self, notice: &Notice) -> Message {
        let own = || {
            notice.document["title"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        let title = self.fill("title", notice).unwrap_or_else(|_| own());
        let text = self.fill("text", notice).unwrap_or_else(|why| {
            let mut text = format!("(the template failed: {why})\n");
            // Writing to a string does not fail.
            let _written = write!(text, "{}", super::json::line(&notice.document));
            text
        });
        let line = title.split_whitespace().collect::<Vec<_>>().join(" ");
        Message {
            title: cut(&inert::visible(&line), TITLE_CHARACTERS_MAX),
            text: inert::visible_but(&text, |character| character == '\n').into_owned(),
        }
    }

    fn fill(&self, name: &str, notice: &Notice) -> Result<String, String> {
        let template = self
            .0
            .get_template(name)
            .map_err(|error| error.to_string())?;
        let mut made = Bounded(Vec::new());
        template
            .render_captured_to(&notice.document, &mut made)
            .map_err(|error| error.to_string())?;
        String::from_utf8(made.0).map_err(|error| error.to_string())
    }
}

/// The first characters of a text, with a sign where it goes on.
pub(crate) fn cut(text: &str, characters_max: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(characters_max) else {
        return text.to_owned();
    };
    let last = text[..end]
        .char_indices()
        .next_back()
        .map_or(0, |(last, _)| last);
    format!("{}…", &text[..last])
}

/// Takes what a template makes, up to a limit.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > BYTES_MAX {
            return Err(io::Error::other(format!(
                "it makes more than {BYTES_MAX} bytes"
            )));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use schemas::wire::Alert;

    use super::{BYTES_MAX, MessageTemplate, cut};
    use crate::contract::Notice;

    fn notice(title: &str) -> Notice {
        Notice::of_alert(&Alert {
            alert_id: "a".to_owned(),
            title: title.to_owned(),
            label: "SAAS-M365-00001".to_owned(),
            severity: "high".to_owned(),
            description: "What.\n\nCheck first:\n- Who?".to_owned(),
            user: "{{ 7 * 7 }}\u{202e}\u{1b}[0m".to_owned(),
            ..Alert::default()
        })
    }

    #[test]
    fn the_default_says_what_and_what_to_check() {
        let message = MessageTemplate::new("", "")
            .unwrap()
            .message(&notice("A\r\nB"));
        assert_eq!(message.title, "HIGH: A B");
        assert!(
            message
                .text
                .contains("What.\nUser: {{ 7 * 7 }}<U+202E>␛[0m\n"),
            "{}",
            message.text
        );
        assert!(
            message.text.ends_with("\nCheck first:\n- Who?\n"),
            "{}",
            message.text
        );
    }

    #[test]
    fn a_template_that_does_not_end_or_grows_is_stopped_and_says_so() {
        for endless in [
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% for a in range(9999) %}{{ title }}{% endfor %}",
        ] {
            let template = MessageTemplate::new("{{ nothing.at.all }}x", endless).unwrap();
            let message = template.message(&notice(&"t".repeat(500)));
            assert_eq!(message.title, "x");
            assert!(
                message.text.starts_with("(the template failed"),
                "{endless}: {:.200}",
                message.text
            );
            assert!(message.text.len() < BYTES_MAX);
        }
        assert!(
            MessageTemplate::new("{% for %}", "")
                .unwrap_err()
                .contains("title")
        );
    }

    #[test]
    fn a_cut_text_ends_with_a_sign() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
