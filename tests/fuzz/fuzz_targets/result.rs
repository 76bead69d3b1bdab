#![no_main]

libfuzzer_sys::fuzz_target!(|body: &[u8]| aftercall_fuzz::result(body));
