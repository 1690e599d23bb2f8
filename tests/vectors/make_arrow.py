"""Write `arrow/*.arrows`: bars as pyarrow, and polars, write them to Arrow's streaming format, for what reads them in C++.

Three days from 2024-01-02 on with prices 2, 3 and 4, high 1 above them, low 1 below, volume 100 but none on the second
day, in two batches; the files differ in how that is written.
"""

from pathlib import Path

import polars
import pyarrow as pa  # type: ignore[import-untyped]

FOLDER = Path(__file__).parent / "arrow"
DAYS = [1704153600, 1704240000, 1704326400]
PRICES = [2.0, 3.0, 4.0]


def columns(stamps: pa.Array, number: pa.DataType, volume: pa.DataType) -> dict[str, pa.Array]:
    prices = {
        "open": PRICES,
        "high": [price + 1 for price in PRICES],
        "low": [price - 1 for price in PRICES],
        "close": PRICES,
    }
    numbers = {name: pa.array(values).cast(number) for name, values in prices.items()}
    return {"timestamp": stamps, **numbers, "volume": pa.array([100.0, None, 100.0]).cast(volume)}


def stamps(unit: str, zone: str | None = "UTC") -> pa.Array:
    scale = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    return pa.array([day * scale for day in DAYS], pa.timestamp(unit, zone))


def write(name: str, table: pa.Table, compression: str | None = None) -> None:
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(FOLDER / f"{name}.arrows", table.schema, options=options) as writer:
        for batch in table.to_batches(max_chunksize=2):
            writer.write_batch(batch)


def main() -> None:
    """Write them all."""
    FOLDER.mkdir(exist_ok=True)
    double = pa.float64()
    usual = columns(stamps("ns"), double, double)
    host = pa.schema(
        [pa.field(name, values.type, nullable=name == "volume") for name, values in usual.items()]
    )
    write("host", pa.table(usual, schema=host))
    for unit in ("s", "ms", "us"):
        write(unit, pa.table(columns(stamps(unit), double, pa.int64())))
    write("naive", pa.table(columns(stamps("us", None), pa.float32(), pa.float32())))
    write("zoned", pa.table(columns(stamps("ns", "America/New_York"), double, pa.uint32())))
    days = pa.array([day // 86400 for day in DAYS], pa.date32())
    write("dates", pa.table(columns(days, pa.int8(), double)))
    more = {
        "symbol": ["ACME"] * 3,
        "count": [1, None, 3],
        "halted": [True, False, None],
        "nothing": pa.nulls(3),
    }
    write("more", pa.table({"source": ["a", None, "b"], **usual, **more}))
    write("reordered", pa.table({name: usual[name] for name in reversed(usual)}))
    write("no_volume", pa.table(usual).drop_columns(["volume"]))
    write("null_volume", pa.table({**usual, "volume": pa.nulls(3)}))
    write("empty", pa.table(usual).slice(0, 0))
    gaps = {**usual, "close": pa.array([2.0, None, 4.0])}
    write("no_price", pa.table(gaps))
    write(
        "no_stamp",
        pa.table({**usual, "timestamp": pa.array([DAYS[0], None, DAYS[2]], pa.timestamp("s"))}),
    )
    polars.from_arrow(pa.table(usual)).write_ipc_stream(FOLDER / "polars.arrows")  # type: ignore[union-attr]
    write("lz4", pa.table(usual), "lz4")
    write("zstd", pa.table(usual), "zstd")
    write(
        "dictionary", pa.table({**usual, "symbol": pa.array(["A", "A", "B"]).dictionary_encode()})
    )
    write("nested", pa.table({**usual, "all": [[1.0], [2.0], [3.0]]}))
    write("texts", pa.table({**usual, "timestamp": ["2024-01-02", "2024-01-03", "2024-01-04"]}))
    write("integers", pa.table({**usual, "timestamp": pa.array(DAYS)}))
    write("halves", pa.table(columns(stamps("ns"), pa.float16(), double)))


if __name__ == "__main__":
    main()
