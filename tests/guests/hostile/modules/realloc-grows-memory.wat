;; While the host is about to write there, everything moves.
(core module $libc
  (memory $memory (export "memory") 1)
  (func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (i32.mul (memory.grow $memory (i32.const 100)) (i32.const 65536))))
(core module $guest
  (import "libc" "memory" (memory 1))
  (import "host" "random" (func $random (param i64 i32)))
  (func (export "handle") (param i32 i32) (local $left i32)
    (local.set $left (i32.const 9))
    (loop $again
      (call $random (i64.const 65536) (i32.const 0))
      (if (i32.eqz (i32.load (i32.const 0))) (then unreachable))
      (br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))))
