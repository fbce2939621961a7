//! QR codes as rows of modules, for faces that draw.

use qrcode::{Color, EcLevel, QrCode as Code};
use subrosa_engine::api::{Failure, FailureCode};

use super::own::QrCode;

/// Longest text, in bytes: what fits into the largest code with error correction M, as letters and digits.
const TEXT: usize = 3391;

/// The code of a text in which large and small letters mean the same: in large ones, a code is smaller.
pub fn code(text: &str) -> Result<QrCode, Failure> {
    let refused = |why: String| Failure::new(FailureCode::Usage, "qr", format!("there is no QR code of this: {why}"));
    if text.len() > TEXT {
        return Err(refused("it is too long".to_owned()));
    }
    let code = Code::with_error_correction_level(text.to_ascii_uppercase(), EcLevel::M)
        .map_err(|error| refused(error.to_string()))?;
    let width = code.width().max(1);
    let row = |row: &[Color]| row.iter().map(|module| if *module == Color::Dark { '1' } else { '0' }).collect();
    Ok(QrCode {
        size: u32::try_from(width).unwrap_or(u32::MAX),
        rows: code.to_colors().chunks(width).map(row).collect(),
    })
}
