#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| aftercall_fuzz::cursor(text));
