;; 80 MiB from the start: less than a slot of the pool, more than an actor has by default.
(core module $guest
  (memory 1280)
  (func (export "handle") (param i32 i32)))
