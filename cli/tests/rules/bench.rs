//! The `vedette` command in a folder of its own.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A mailbox forwards, and a rule of Outlook's that does not.
pub(crate) const EVENTS: &str = r#"{"Id":"fires","CreationTime":"2026-03-01T10:00:00","Operation":"New-InboxRule","Workload":"Exchange","RecordType":1,"OrganizationId":"t","UserId":"ada@contoso.example","ClientIP":"192.0.2.7","Parameters":[{"Name":"ForwardTo","Value":"smtp:x@mail.example"}]}
{"Id":"again","CreationTime":"2026-02-27T10:00:00","Operation":"Set-InboxRule","Workload":"Exchange","RecordType":1,"OrganizationId":"t","UserId":"ada@contoso.example","ClientIP":"192.0.2.7","Parameters":[{"Name":"RedirectTo","Value":"y@mail.example"}]}
{"Id":"old","CreationTime":"2026-01-01T10:00:00","Operation":"New-InboxRule","Workload":"Exchange","RecordType":1,"OrganizationId":"t","UserId":"eve@contoso.example","ClientIP":"192.0.2.9","Parameters":[{"Name":"ForwardTo","Value":"smtp:z@mail.example"}]}
{"Id":"quiet","CreationTime":"2026-03-01T11:00:00","Operation":"New-InboxRule","Workload":"Exchange","RecordType":1,"OrganizationId":"t","UserId":"eve@contoso.example","Parameters":[{"Name":"MoveToFolder","Value":"Archive"}]}
"#;

/// Label of the rule about inbox rules that forward.
pub(crate) const FORWARDS: &str = "SAAS-M365-00002";

/// A folder with what a person has, and the command.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn call(&self, arguments: &[&str], input: Option<&str>) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
            .current_dir(self.folder.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin
            .write_all(input.unwrap_or_default().as_bytes())
            .unwrap();
        drop(stdin);
        child.wait_with_output().unwrap()
    }

    /// Standard output, if the exit code is as expected.
    #[track_caller]
    pub(crate) fn rules(&self, code: i32, arguments: &[&str]) -> String {
        let all: Vec<&str> = std::iter::once("rules")
            .chain(arguments.iter().copied())
            .collect();
        let output = self.call(&all, None);
        let text = String::from_utf8(output.stdout).unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}\n{text}\n{error}"
        );
        // Nothing of a pipe is coloured.
        assert!(!text.contains('\u{1b}'), "{text:?}");
        text + &error
    }
}

/// JSON, one object a line.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).expect(line))
        .collect()
}
