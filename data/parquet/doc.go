// Package parquet reads and writes Parquet files as rows of data.Value. What
// other tools wrote passes through with its values and types unchanged, and a
// damaged or hostile file costs an error, never a crash.
//
// [Open] a file, look at its [File.Schema] and [File.RowGroups], and
// [File.Read] row groups. [NewWriter] writes one, [Merge] joins several.
//
// # Types
//
// data.Type.Kind says how values are held; Logical keeps the Parquet type when
// the kind alone does not tell it:
//
//	kind       logical                    Parquet
//	bool                                  BOOLEAN
//	int64                                 INT64
//	int64      int8 int16 int32           INT32, with INTEGER but for int32
//	int64      uint8 uint16 uint32        INT32, INTEGER
//	int64      uint64                     INT64, INTEGER; values above 2⁶³-1 are held as negative
//	int64      date                       INT32, DATE; days since 1970-01-01
//	int64      time(ms|us|ns[,local])     INT32 or INT64, TIME since midnight
//	int64      decimal(p,s)/int32|int64   unscaled
//	bytes      decimal(p,s)/flbaN|bytes   unscaled, big-endian two's complement
//	int64      null                       INT32, UNKNOWN; every value is null
//	float32                               FLOAT
//	float64                               DOUBLE
//	bytes      float16                    FIXED(2), FLOAT16
//	string                                BYTE_ARRAY, STRING
//	string     enum json                  BYTE_ARRAY, ENUM or JSON
//	bytes                                 BYTE_ARRAY
//	bytes      bson                       BYTE_ARRAY, BSON
//	bytes      fixed(n)                   FIXED(n)
//	bytes      uuid                       FIXED(16), UUID
//	bytes      interval                   FIXED(12), INTERVAL
//	bytes      geometry[(crs)]            BYTE_ARRAY, GEOMETRY
//	timestamp  (unit ms us ns, local)     INT64, TIMESTAMP
//	timestamp  int96                      INT96
//	list map struct                       LIST, MAP, group
//
// Times in INT96 are held in nanoseconds, or in microseconds where those
// overflow, and written back as INT96. The older encodings of lists and maps are
// read and written in the present one. A tensor is written as a list of its
// elements. A logical type of another package is ignored and the kind written.
package parquet
