//! Conversions between counts and seconds, with their limits stated once.

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "counts here stay far below 2^52")]
pub fn of(count: usize) -> f64 {
    count as f64
}

/// The whole part of `number`; 0 for what is negative or no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and the whole part is what is wanted"
)]
pub fn whole(number: f64) -> usize {
    number as usize
}

/// Rounded to `decimals` places, the provider's way of writing times (2) and rates (1).
pub fn rounded(number: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (number * scale).round() / scale
}
