;; Refused each time, and asks again.
(core module $guest
  (memory 1)
  (func (export "handle") (param i32 i32)
    (loop $again
      (drop (memory.grow (i32.const 65535)))
      (br $again))))
