//! Progress bars on a terminal, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Lines elsewhere than on a terminal come at most this often.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// How far a piece of work is.
pub struct Progress {
    bar: Option<ProgressBar>,
    label: String,
    started: Instant,
    said: Instant,
}

impl Progress {
    pub fn new(label: &str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(1000);
            let style = ProgressStyle::with_template("{msg:32} {bar:30} {percent:>3} %  {elapsed} of {duration}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        let now = Instant::now();
        let progress = Self { bar, label: String::new(), started: now, said: now };
        progress.labelled(label)
    }

    fn labelled(mut self, label: &str) -> Self {
        self.label(label);
        self
    }

    /// What is being done now.
    pub fn label(&mut self, label: &str) {
        self.label = label.to_owned();
        match &self.bar {
            Some(bar) => bar.set_message(self.label.clone()),
            None => eprintln!("{label}"),
        }
    }

    /// The share that is done, 0 to 1.
    pub fn share(&mut self, share: f64) {
        if let Some(bar) = &self.bar {
            bar.set_position((share * 1000.0) as u64);
        } else if share > 0.0 && self.said.elapsed() > BETWEEN_LINES {
            let left = self.started.elapsed().mul_f64((1.0 - share).max(0.0) / share);
            eprintln!("{}: {:.0} %, about {} s left", self.label, share * 100.0, left.as_secs());
            self.said = Instant::now();
        }
    }

    /// The share that is done, with a word on how things are.
    pub fn state(&mut self, state: &str, share: f64) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}  {state}", self.label)),
            None if share > 0.0 && self.said.elapsed() > BETWEEN_LINES => eprintln!("{state}"),
            None => {}
        }
        self.share(share);
    }

    /// A line that stays.
    pub fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => eprintln!("{text}"),
        }
    }

    pub fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
