create schema "Side Ways"; create domain money_amount as numeric(12,2); create type mood as enum ('ok','angry'); create domain short_name as varchar(12) check (value <> '');
create table "Side Ways"."Order Details" (
 "Id" bigint generated always as identity primary key, "Order" int not null, "select" smallint, c_real real, c_double double precision, c_numeric numeric, c_num102 numeric(10,2), c_numneg numeric(5,-2), c_money money, c_domain money_amount, c_name short_name,
 c_bool boolean, c_bit1 bit(1), c_bit8 bit(8), c_varbit varbit(12), c_char char(3), c_varchar varchar(40), c_text text, c_bytea bytea, c_date date, c_time time, c_timetz timetz, c_ts timestamp, c_tstz timestamptz, c_interval interval,
 c_json json, c_jsonb jsonb, c_uuid uuid, c_inet inet, c_array text[], c_intarr int[], c_enum mood, c_range int4range, c_point point, c_xml xml, c_tsv tsvector, "changed" int, "constructor" text, "weird ""name" text, "ünïcode" text, "2nd" int, gen_up text generated always as (upper(c_text)) stored,
 "UpdatedAt" timestamptz not null default now());
comment on table "Side Ways"."Order Details" is 'What was ordered; */ ends nothing.';
comment on column "Side Ways"."Order Details"."Order" is 'The order''s number';
create index on "Side Ways"."Order Details" ("UpdatedAt");
insert into "Side Ways"."Order Details" ("Order","select",c_real,c_double,c_numeric,c_num102,c_numneg,c_money,c_domain,c_name,c_bool,c_bit1,c_bit8,c_varbit,c_char,c_varchar,c_text,c_bytea,c_date,c_time,c_timetz,c_ts,c_tstz,c_interval,c_json,c_jsonb,c_uuid,c_inet,c_array,c_intarr,c_enum,c_range,c_point,c_xml,c_tsv,"changed","constructor","weird ""name","ünïcode","2nd","UpdatedAt")
 values (1,2,1.5,0.1,123456789012345678901234567890.12345678901234567890,1.20,12300,12.34,9.99,'x',true,b'1',b'10101010',b'101','ab','va','line
two','\xdeadbeef','2024-02-29','12:34:56.789','12:34:56+02','2024-01-01 10:00:00.123456','2024-01-01 10:00:00.123456+02','1 day 2 hours','{"a": 12345678901234567890}','{"b": [1,2]}','0e37df36-f698-11e6-8dd4-cb9ced3df976','10.0.0.1','{a,b}','{1,2}','ok','[1,5)','(1,2)','<a/>','a b',3,'c','w','u',2, now() - interval '1 day'),
 (2,null,'NaN','Infinity','NaN',null,null,null,null,null,null,null,null,null,null,null,null,null,'infinity',null,null,'infinity','-infinity',null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null, now() - interval '1 hour');
create table nokey (a int, b text); insert into nokey values (1,'x'),(1,'x'),(2,null);
create table uniq (code varchar(10) not null unique, v int, updated_at timestamptz); insert into uniq values ('a',1,now());
create table xs (id bigint primary key, tx xid8 not null default pg_current_xact_id()); create index on xs (tx); insert into xs values (1);
create table "Class" ("Key A" int, "Key B" text, primary key ("Key B","Key A"), last_modified timestamp not null); create index on "Class"(last_modified); insert into "Class" values (1,'k',now() - interval '1 day');
create table empty_one (id int primary key, at date);
create view v_orders as select "Order" as o, c_text from "Side Ways"."Order Details";
create materialized view mv as select 1 as one;
create table parted (id bigint not null, updated_at timestamptz not null, primary key (id, updated_at)) partition by range (updated_at); create table parted_1 partition of parted default; create index on parted(updated_at); insert into parted values (1, now() - interval '1 day');
create table hashed (id int primary key, updated_at timestamptz not null, "then" text); create index on hashed using hash (updated_at); insert into hashed values (1, now() - interval '1 day', 'x');
create table forebear (id int primary key, v text); create table heir () inherits (forebear); insert into forebear values (1, 'a'); insert into heir values (1, 'b');
create extension postgres_fdw; create server away foreign data wrapper postgres_fdw options (host '127.0.0.1', port '1', dbname 'x'); create user mapping for public server away options (user 'x'); create foreign table far (id int) server away;
create table "Side Ways"."dot.ted" (id int primary key); insert into "Side Ways"."dot.ted" values (1);
