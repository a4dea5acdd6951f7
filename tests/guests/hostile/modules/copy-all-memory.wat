;; One instruction copies 63 MiB, and is interrupted only between two.
(core module $guest
  (memory 1008)
  (func (export "handle") (param i32 i32)
    (loop $again
      (memory.copy (i32.const 1) (i32.const 0) (i32.const 66060287))
      (br $again))))
