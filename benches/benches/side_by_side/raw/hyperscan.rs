//! The few calls of the Hyperscan library that the bench needs, behind types that free what they own.
//!
//! Declarations after `hs_compile.h` and `hs_runtime.h` of version 5.4. Own declarations, because the crates that bind
//! the library end the build when it is not installed.

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_ulonglong, c_void};
use std::marker::PhantomData;
use std::ptr::{self, NonNull};

/// A database handle of the library.
#[repr(C)]
struct RawDatabase {
    _private: [u8; 0],
}

#[repr(C)]
struct RawScratch {
    _private: [u8; 0],
}

#[repr(C)]
struct RawStream {
    _private: [u8; 0],
}

#[repr(C)]
struct RawError {
    message: *const c_char,
    expression: c_int,
}

type OnMatch = extern "C" fn(c_uint, c_ulonglong, c_ulonglong, c_uint, *mut c_void) -> c_int;

#[link(name = "hs")]
unsafe extern "C" {
    fn hs_version() -> *const c_char;
    fn hs_compile_multi(
        expressions: *const *const c_char,
        flags: *const c_uint,
        ids: *const c_uint,
        elements: c_uint,
        mode: c_uint,
        platform: *const c_void,
        database: *mut *mut RawDatabase,
        error: *mut *mut RawError,
    ) -> c_int;
    fn hs_free_compile_error(error: *mut RawError) -> c_int;
    fn hs_free_database(database: *mut RawDatabase) -> c_int;
    fn hs_database_size(database: *const RawDatabase, size: *mut usize) -> c_int;
    fn hs_stream_size(database: *const RawDatabase, size: *mut usize) -> c_int;
    fn hs_alloc_scratch(database: *const RawDatabase, scratch: *mut *mut RawScratch) -> c_int;
    fn hs_scratch_size(scratch: *const RawScratch, size: *mut usize) -> c_int;
    fn hs_free_scratch(scratch: *mut RawScratch) -> c_int;
    fn hs_open_stream(database: *const RawDatabase, flags: c_uint, stream: *mut *mut RawStream) -> c_int;
    fn hs_scan_stream(
        stream: *mut RawStream,
        data: *const c_char,
        length: c_uint,
        flags: c_uint,
        scratch: *mut RawScratch,
        on_match: Option<OnMatch>,
        context: *mut c_void,
    ) -> c_int;
    fn hs_reset_stream(
        stream: *mut RawStream,
        flags: c_uint,
        scratch: *mut RawScratch,
        on_match: Option<OnMatch>,
        context: *mut c_void,
    ) -> c_int;
    fn hs_close_stream(
        stream: *mut RawStream,
        scratch: *mut RawScratch,
        on_match: Option<OnMatch>,
        context: *mut c_void,
    ) -> c_int;
}

const SUCCESS: c_int = 0;
const MODE_STREAM: c_uint = 2;
const MODE_SOM_HORIZON_LARGE: c_uint = 1 << 24;
const FLAG_SOM_LEFTMOST: c_uint = 256;

/// What the library is asked to report.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// (rule, end).
    Ends,
    /// (rule, start, end).
    Starts,
}

/// Why expressions were refused, and by which of them if the library says so.
pub(crate) struct Refusal {
    pub(crate) message: String,
    pub(crate) expression: Option<usize>,
}

pub(crate) fn version() -> String {
    // SAFETY: takes nothing and returns a static string.
    let version = unsafe { hs_version() };
    // SAFETY: a static string that ends with a zero byte.
    let version = unsafe { CStr::from_ptr(version) };
    version.to_string_lossy().into_owned()
}

/// Compiled expressions for streams.
pub(crate) struct Database(NonNull<RawDatabase>);

impl Database {
    /// Compiles; the number of an expression is its place in the list.
    pub(crate) fn new(expressions: &[String], report: Report) -> Result<Self, Refusal> {
        let refused = |message: String, expression: Option<usize>| Refusal { message, expression };
        let texts = expressions
            .iter()
            .map(|e| CString::new(e.as_str()))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| refused(e.to_string(), None))?;
        let pointers: Vec<*const c_char> = texts.iter().map(|t| t.as_ptr()).collect();
        let count = c_uint::try_from(texts.len()).map_err(|e| refused(e.to_string(), None))?;
        let ids: Vec<c_uint> = (0..count).collect();
        let (flag, mode) = match report {
            Report::Ends => (0, MODE_STREAM),
            Report::Starts => (FLAG_SOM_LEFTMOST, MODE_STREAM | MODE_SOM_HORIZON_LARGE),
        };
        let flags = vec![flag; texts.len()];
        let mut database = ptr::null_mut();
        let mut error = ptr::null_mut();
        // SAFETY: the three arrays have `count` elements, each expression ends with a zero byte, all outlive the call;
        // a null platform means this machine; the two out-pointers are valid.
        let code = unsafe {
            hs_compile_multi(
                pointers.as_ptr(),
                flags.as_ptr(),
                ids.as_ptr(),
                count,
                mode,
                ptr::null(),
                &raw mut database,
                &raw mut error,
            )
        };
        match NonNull::new(database) {
            Some(database) if code == SUCCESS => Ok(Self(database)),
            _ => Err(take(error, code)),
        }
    }

    /// The size of the compiled database in bytes.
    pub(crate) fn size(&self) -> usize {
        let mut size = 0;
        // SAFETY: a live database and a valid out-pointer.
        let code = unsafe { hs_database_size(self.0.as_ptr(), &raw mut size) };
        if code == SUCCESS { size } else { 0 }
    }

    /// The size of one stream's state in bytes.
    pub(crate) fn stream_size(&self) -> usize {
        let mut size = 0;
        // SAFETY: a live database and a valid out-pointer.
        let code = unsafe { hs_stream_size(self.0.as_ptr(), &raw mut size) };
        if code == SUCCESS { size } else { 0 }
    }

    /// Working memory for scans with this database.
    pub(crate) fn scratch(&self) -> Option<Scratch> {
        let mut scratch = ptr::null_mut();
        // SAFETY: a live database and a valid out-pointer that holds null, which asks for new memory.
        let code = unsafe { hs_alloc_scratch(self.0.as_ptr(), &raw mut scratch) };
        NonNull::new(scratch).filter(|_| code == SUCCESS).map(Scratch)
    }

    /// The state of one stream.
    pub(crate) fn stream(&self) -> Option<Stream<'_>> {
        let mut stream = ptr::null_mut();
        // SAFETY: a live database and a valid out-pointer.
        let code = unsafe { hs_open_stream(self.0.as_ptr(), 0, &raw mut stream) };
        NonNull::new(stream)
            .filter(|_| code == SUCCESS)
            .map(|stream| Stream {
                stream,
                database: PhantomData,
            })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: owned by this value; streams borrow it, so none is left.
        let _ = unsafe { hs_free_database(self.0.as_ptr()) };
    }
}

fn take(error: *mut RawError, code: c_int) -> Refusal {
    let Some(error) = NonNull::new(error) else {
        return Refusal {
            message: format!("error {code}"),
            expression: None,
        };
    };
    // SAFETY: the library gave a valid error, which stays so until it is freed below.
    let raw = unsafe { error.as_ref() };
    // SAFETY: its message is a string that ends with a zero byte.
    let message = unsafe { CStr::from_ptr(raw.message) };
    let refusal = Refusal {
        message: message.to_string_lossy().into_owned(),
        expression: usize::try_from(raw.expression).ok(),
    };
    // SAFETY: freed once, and not used afterwards.
    let _ = unsafe { hs_free_compile_error(error.as_ptr()) };
    refusal
}

/// Working memory of one thread.
pub(crate) struct Scratch(NonNull<RawScratch>);

impl Scratch {
    /// Its size in bytes.
    pub(crate) fn size(&self) -> usize {
        let mut size = 0;
        // SAFETY: live working memory and a valid out-pointer.
        let code = unsafe { hs_scratch_size(self.0.as_ptr(), &raw mut size) };
        if code == SUCCESS { size } else { 0 }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // SAFETY: owned by this value.
        let _ = unsafe { hs_free_scratch(self.0.as_ptr()) };
    }
}

/// One stream.
pub(crate) struct Stream<'db> {
    stream: NonNull<RawStream>,
    database: PhantomData<&'db Database>,
}

extern "C" fn on_match(_: c_uint, _: c_ulonglong, _: c_ulonglong, _: c_uint, context: *mut c_void) -> c_int {
    // SAFETY: `scan` and `finish` pass a pointer to a `u64` that nothing else reaches during the call.
    let events = unsafe { &mut *context.cast::<u64>() };
    *events = events.wrapping_add(1);
    0
}

impl Stream<'_> {
    /// Scans the next piece and counts what the library reports. `scratch` must come from the same database.
    #[inline]
    pub(crate) fn scan(&mut self, piece: &[u8], scratch: &mut Scratch, events: &mut u64) -> bool {
        let Ok(length) = c_uint::try_from(piece.len()) else {
            return false;
        };
        // SAFETY: a live stream and working memory that no other call uses (both are borrowed mutably); `length` bytes
        // from `piece`; the callback gets `events`. Working memory of another database is an error code, not a fault.
        let code = unsafe {
            hs_scan_stream(
                self.stream.as_ptr(),
                piece.as_ptr().cast(),
                length,
                0,
                scratch.0.as_ptr(),
                Some(on_match),
                ptr::from_mut(events).cast(),
            )
        };
        code == SUCCESS
    }

    /// The text has ended: reports what only the end decides, and begins a new text.
    pub(crate) fn finish(&mut self, scratch: &mut Scratch, events: &mut u64) -> bool {
        // SAFETY: as in `scan`.
        let code = unsafe {
            hs_reset_stream(
                self.stream.as_ptr(),
                0,
                scratch.0.as_ptr(),
                Some(on_match),
                ptr::from_mut(events).cast(),
            )
        };
        code == SUCCESS
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        // SAFETY: owned by this value; without a callback no working memory is needed.
        let _ = unsafe { hs_close_stream(self.stream.as_ptr(), ptr::null_mut(), None, ptr::null_mut()) };
    }
}
