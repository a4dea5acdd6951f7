;; As far as an address with its offset can say.
(core module $guest
  (import "libc" "memory" (memory 1))
  (func (export "handle") (param i32 i32)
    (drop (v128.load offset=4294967295 (i32.const -1)))))
