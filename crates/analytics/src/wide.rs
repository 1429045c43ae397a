//! Defines [`wide`]: inner loops with the vector instructions that most x86 processors have since 2013, for which the program
//! as a whole is not built. The source is the same, and so are the bits: nothing is added up in another order.

/// `wide!(fn name(arguments) = plain;)`: does what `plain` does, which is `#[inline(always)]` like all that it calls.
macro_rules! wide {
    ($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? = $plain:path;) => {
        $(#[$doc])*
        #[allow(unsafe_code)]
        fn $name($($argument: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn compiled_for_them($($argument: $type),*) $(-> $result)? {
                    $plain($($argument),*)
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor was asked for them.
                    return unsafe { compiled_for_them($($argument),*) };
                }
            }
            $plain($($argument),*)
        }
    };
}

pub(crate) use wide;
