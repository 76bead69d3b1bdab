//! Conversions between counts and seconds, with their limits stated in one place.

/// A count as a float.
#[expect(clippy::cast_precision_loss, reason = "counts here stay far below 2^52")]
pub fn of(count: usize) -> f64 {
    count as f64
}

/// The integer part of `number`; 0 for negative numbers and NaN.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and the whole part is what is wanted"
)]
pub fn whole(number: f64) -> usize {
    number as usize
}

/// Rounds to `decimals` places; the provider writes times with 2 and rates with 1.
pub fn rounded(number: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (number * scale).round() / scale
}
