//! Which number of a date comes first.

use serde::Deserialize;

/// Which comes first in `03/04/1956`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DateOrder {
    /// Month, day, year: the United States.
    #[default]
    MonthFirst,
    /// Day, month, year: nearly everywhere else.
    DayFirst,
}

impl DateOrder {
    /// The order that people of a region (ISO 3166, `US`) write in: the month comes first in the United States, in what belongs to them
    /// and in the Philippines.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        let month_first = ["US", "PH", "PR", "GU", "AS", "VI", "MP"].iter().any(|known| region.eq_ignore_ascii_case(known));
        if month_first { Self::MonthFirst } else { Self::DayFirst }
    }
}
