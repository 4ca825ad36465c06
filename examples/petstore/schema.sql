-- What both SQLite and Postgres understand.
CREATE TABLE IF NOT EXISTS pets (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('available', 'pending', 'sold')),
  price_cents BIGINT NOT NULL,
  tags TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS pets_by_status ON pets (status, id);

CREATE TABLE IF NOT EXISTS orders (
  id TEXT PRIMARY KEY,
  pet TEXT NOT NULL UNIQUE REFERENCES pets (id),
  buyer TEXT NOT NULL
);
