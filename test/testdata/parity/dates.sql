SET TimeZone = 'UTC';

SELECT timestamptz '2024-03-10 12:00:00+02', timestamp '2024-03-10 12:00:00.123456', date '0044-03-15 BC', time '23:59:59.999', timetz '10:00:00+05:30';

SET TimeZone = 'America/New_York';

SELECT timestamptz '2024-03-10 06:59:00Z', timestamptz '2024-03-10 07:00:00Z', timestamptz '2024-11-03 05:30:00Z', timestamptz '2024-11-03 06:30:00Z';

SELECT '2024-07-01 12:00'::timestamptz AT TIME ZONE 'Europe/Berlin', date_trunc('day', timestamptz '2024-07-01 03:00Z');

SET DateStyle = 'SQL, DMY';

SELECT date '2024-03-10', timestamptz '2024-03-10 12:00:00Z', '03/04/2024'::date;

SET DateStyle = 'Postgres, MDY';

SELECT timestamptz '2024-03-10 12:00:00Z', '03/04/2024'::date;

SET DateStyle = 'German';

SELECT timestamptz '2024-03-10 12:00:00Z', date '2024-12-31';

SET DateStyle = 'ISO, YMD';

SELECT 'infinity'::timestamptz, '-infinity'::date, 'epoch'::timestamp, '13/13/2024'::date;

SET IntervalStyle = 'postgres_verbose';

SELECT interval '1 year 2 mons -3 days 04:05:06.7', interval 'P1Y2M3DT4H5M6S';

SET IntervalStyle = 'sql_standard';

SELECT interval '1 year 2 mons', interval '-3 days 04:05:06';

SET IntervalStyle = 'iso_8601';

SELECT interval '1 year 2 mons -3 days 04:05:06.7', justify_interval('40 days 30 hours');

SELECT extract(epoch FROM timestamptz '2024-01-01Z'), date_part('dow', date '2024-01-01'), age('2024-03-01', '2023-01-31');

SELECT to_char(timestamptz '2024-01-02 03:04:05Z', 'Day, DD Month YYYY HH12:MI:SS AM TZ OF'), make_timestamptz(2024, 2, 29, 1, 2, 3.5, 'UTC');

SELECT make_date(2023, 2, 29);

SELECT generate_series(timestamp '2024-01-01', '2024-01-03', '12 hours');

SET TimeZone = 'Mars/Olympus';

SELECT timestamptz '2024-01-01 00:00 Nowhere/Land';

SELECT '2024-02-30'::date;

SET extra_float_digits = 0;

SELECT 0.1::float8 + 0.2::float8, 1e22::float8, 1.1::float4;

RESET extra_float_digits;

SELECT 0.1::float8 + 0.2::float8, 1e22::float8, 1.1::float4;

SET lc_monetary = 'C';

SELECT 12.34::money, to_char(-12345.678, 'S999G999D99'), to_char(485, 'RN');
