-- What stands in front of every script of a workspace with settings for keys, and
-- of every one that publishes, in the script's first line (see script.go). It is
-- the script's own redis, whose call and pcall see to the keys that commands make,
-- and to the names of channels, as the proxy does for commands that come by
-- themselves. What it needs to know is the last of ARGV, which the script must not
-- see.
local redis=(function(R,A)
local P,T=R.pcall,'@makes@'
local known,room,ceiling,named,made,used,full,prefix,default,globs

-- know reads what the proxy sent: how many keys the script may make (-1: any,
-- -2: those that it names, -3: as long as there are no more than the ceiling),
-- what to say when they are too many, what the names of channels begin with, and
-- seconds.
local function know()
  known=true
  room,ceiling,full,prefix,default,globs=cmsgpack.unpack(A)
  if room>=0 then
    made,used={},0
  elseif room==-2 then
    named={}
    for _,k in ipairs(KEYS) do named[k]=true end
  end
end
if string.byte(A)~=255 then know() end

-- matches follows a compiled pattern, see appendGlob.
local function matches(k,g)
  local find=string.find
  local _,e=find(k,g[2])
  if not e then return false end
  if g[3]<0 then return true end
  local last=#k-g[3]
  if #k==0 or last<e or not find(k,g[4],last+1) then return false end
  for i=5,#g do
    local _,f=find(k,g[i],e+1)
    if not f or f>last then return false end
    e=f
  end
  return true
end

local function ttl(k)
  for _,g in ipairs(globs) do if matches(k,g) then return g[1] end end
  return default
end

local function word(v) return string.lower(tostring(v)) end

-- options says whether one of words is among a from i on.
local function options(a,i,words)
  for j=i,#a do if words[word(a[j])] then return true end end
  return false
end

-- keeps says whether options keep the command from making its key.
local function keeps(a,name)
  if name=='set' then return options(a,4,{xx=1}) end
  local want,others='xx',{nx=1,gt=1,lt=1,ch=1,incr=1}
  if name=='xadd' then
    want,others='nomkstream',{keepref=1,delref=1,acked=1,maxlen=2,minid=2,limit=2,['=']=3,['~']=3}
  elseif name~='zadd' and name~='geoadd' then
    return false
  end
  local valued=false
  for i=3,#a do
    local w=word(a[i])
    local o=others[w]
    if w==want then return true
    elseif o then valued=o==2 or valued and o==3
    elseif valued then valued=false
    else return false end
  end
  return false
end

-- makes gives the keys that a command may make, and where its options begin.
local function makes(a,kind)
  local n=#a
  if kind=='1' or kind=='t' then return {a[2]},4 end
  if kind=='2' or kind=='m' then return {a[3]},4 end
  local k={}
  if kind=='p' then
    for i=2,n,2 do k[#k+1]=a[i] end
  elseif kind=='c' then
    local count=tonumber(a[2]) or 0
    if count>(n-2)/2 then return k,n end
    for i=1,count do k[i]=a[1+2*i] end
    return k,3+2*count
  elseif kind=='o' then
    local i=({georadius=7,georadiusbymember=6})[word(a[1])] or 3
    while i<n do
      local w=word(a[i])
      if w=='store' or w=='storedist' then k={a[i+1]} end
      i=i+(({store=2,storedist=2,by=2,get=2,count=2,limit=3})[w] or 1)
    end
  elseif kind=='g' and word(a[2])=='create' and options(a,6,{mkstream=1}) then
    k={a[3]}
  end
  return k,n+1
end

local function text(k)
  if type(k)=='number' then return string.format('%.17g',k) end
  return k
end

-- fits says whether there is room for those of keys that do not exist. A place
-- is used once, however often the script deletes the key and makes it again.
local function fits(keys)
  local n,new=0,{}
  for _,k in ipairs(keys) do
    local t=text(k)
    if not new[t] and not (made and made[t]) and P('EXISTS',k)==0 then
      if named and not named[t] then return false end
      n=n+1
      new[t]=true
    end
  end
  if n==0 or named then return true end
  if room==-3 then return P('DBSIZE')+n<=ceiling end
  if used+n>room then return false end
  used=used+n
  for t in pairs(new) do made[t]=true end
  return true
end

-- channel gives the server's name for the script's.
local function channel(c)
  local name=text(c)
  local events=string.sub(name,1,15)
  if events=='__keyspace@0__:' or events=='__keyevent@0__:' then
    return string.sub(name,1,11)..string.sub(prefix,1,-2)..string.sub(name,13)
  end
  return prefix..name
end

local function run(...)
  local name=...
  if type(name)~='string' then return P(...) end
  name=string.lower(name)
  local _,at=string.find(T,' '..name..'=',1,true)
  if not at then return P(...) end
  local a={...}
  for i=1,select('#',...) do
    local kind=type(a[i])
    if kind~='string' and kind~='number' then return P(...) end
  end
  if not known then know() end
  local kind=string.sub(T,at+1,at+1)
  if kind=='h' then
    if a[2] then a[2]=channel(a[2]) end
    return P(unpack(a))
  end
  local keys,from=makes(a,kind)
  if room~=-1 and kind~='m' and not keeps(a,name) and not fits(keys) then return R.error_reply(full) end
  if kind=='t' or (name=='set' or kind=='c') and options(a,from,{ex=1,px=1,exat=1,pxat=1,keepttl=1}) then return P(...) end
  local timed
  local seen={}
  for _,k in ipairs(keys) do
    local t=text(k)
    local seconds=seen[t] and 0 or ttl(t)
    seen[t]=true
    if seconds>0 then
      timed=timed or {}
      timed[#timed+1]={k,seconds}
    end
  end
  if not timed then return P(...) end
  if name=='set' and #a>2 then
    a[#a+1]='EX'
    a[#a+1]=timed[1][2]
    return P(unpack(a))
  end
  for _,t in ipairs(timed) do P('PEXPIREAT',t[1],'@mark@','NX') end
  local reply=P(...)
  for _,t in ipairs(timed) do
    local ends=P('PEXPIRETIME',t[1])
    if ends==@mark@ then P('PERSIST',t[1]) elseif ends==-1 then P('EXPIRE',t[1],t[2]) end
  end
  return reply
end

-- An error names the line that it comes from. Redis takes it from the caller of
-- the function that fails, which would be this one; so it is said here.
local function call(...)
  local reply=run(...)
  if type(reply)=='table' and reply.err then
    local _,where=pcall(error,'',3)
    local line=string.match(where,':(%d+):')
    if line then setmetatable(reply,{__index={source='@user_script',line=line},__newindex=function() end}) end
    error(reply)
  end
  return reply
end

return setmetatable({},{__index=setmetatable({call=call,pcall=run},{__index=R}),__newindex=R})
end)(redis,table.remove(ARGV))
